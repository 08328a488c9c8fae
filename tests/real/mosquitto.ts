/** Mosquitto with the configuration of infra/broker, its absolute paths and ports moved into a folder of a test. */
import { spawnSync } from 'node:child_process';
import { chmod, chown, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Certificate } from '../../infra/certificate/certificate.ts';
import type { Command } from './kept.ts';
import { pathOf } from './parts.ts';

const source = join(import.meta.dirname, '../../infra/broker');

export interface MosquittoPorts {
  mqtt: number;
  ws: number;
  tls: number;
}

/** Which of infra/broker/listeners it gets. */
export type Listener = 'loopback' | 'container' | 'tls';

export interface MosquittoPlace {
  /** What infra/broker/main.ts is to write. */
  loginsFile: string;
  command: Command;
}

/** @param dir must be enterable by Mosquitto's own user, as which it runs when this is root. */
export async function placeMosquitto(
  dir: string,
  ports: MosquittoPorts,
  certificate: Certificate,
  listeners: readonly Listener[] = ['loopback', 'tls'],
): Promise<MosquittoPlace> {
  const data = join(dir, 'data');
  const etc = join(dir, 'etc');
  await mkdir(join(etc, 'aima.d'), { recursive: true });
  await mkdir(join(etc, 'certs'));
  await mkdir(data);
  const account = ownAccount();
  const give = async (path: string) => {
    if (account) await chown(path, account.uid, account.gid);
  };
  await chmod(dir, 0o755);
  await give(data);

  const moved = (text: string) =>
    text
      .replaceAll('/var/lib/mosquitto/', `${data}/`)
      .replaceAll('/etc/mosquitto/', `${etc}/`)
      .replace(/^listener 1883/m, `listener ${ports.mqtt}`)
      .replace(/^listener 9883/m, `listener ${ports.ws}`)
      .replace(/^listener 8883/m, `listener ${ports.tls}`);
  const place = async (from: string, to: string) => {
    await writeFile(join(etc, to), moved(await readFile(join(source, from), 'utf8')));
  };
  await place('mosquitto.conf', 'mosquitto.conf');
  for (const name of listeners) await place(`listeners/${name}.conf`, `aima.d/${name}.conf`);
  const key = join(etc, 'certs/server.key');
  await writeFile(join(etc, 'certs/server.crt'), certificate.certificate);
  await writeFile(key, certificate.key, { mode: 0o600 });
  await give(key);

  return {
    loginsFile: join(data, 'dynamic-security.json'),
    command: {
      name: 'mosquitto',
      command: pathOf('mosquitto'),
      args: ['-c', join(etc, 'mosquitto.conf')],
      env: { PATH: process.env.PATH },
    },
  };
}

/** The user `mosquitto`, which Debian's package makes and root's Mosquitto becomes; undefined where this is not root. */
function ownAccount(): { uid: number; gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const id = (flag: string) => Number(spawnSync('id', [flag, 'mosquitto'], { encoding: 'utf8' }).stdout);
  return { uid: id('-u'), gid: id('-g') };
}
