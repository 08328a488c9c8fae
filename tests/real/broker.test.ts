/** Mosquitto as a server runs it: our configuration, and the logins that infra/broker/main.ts writes. */
import { execFile } from 'node:child_process';
import { chmod, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import mqtt, { type IClientOptions, type MqttClient } from 'mqtt';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { openWorkerLogin, workerUsername } from '../../functions/core/events/logins.ts';
import { pinned } from '../../functions/core/pinned-certificate.ts';
import { ensureCertificate, readCertificate } from '../../infra/certificate/certificate.ts';
import { freePort } from '../../infra/embedded/ports.ts';
import { ensureSecrets, type Secrets } from '../../infra/secrets/secrets.ts';
import { type Kept, keep } from './kept.ts';
import { type MosquittoPlace, type MosquittoPorts, placeMosquitto } from './mosquitto.ts';
import { allHere } from './parts.ts';

const run = promisify(execFile);
const program = join(import.meta.dirname, '../../infra/broker/main.ts');
const here = allHere('Our configuration of Mosquitto', 'mosquitto');

describe.skipIf(!here)('Mosquitto with our configuration', () => {
  let dir: string;
  let secretsDir: string;
  let secrets: Secrets;
  let ports: MosquittoPorts;
  let certificate: string;
  let place: MosquittoPlace;
  let mosquitto: Kept;
  const open: MqttClient[] = [];

  /** infra/broker/main.ts; @returns what it says. */
  async function setUp(): Promise<string> {
    const env = {
      PATH: process.env.PATH,
      AIMA_SECRETS_DIR: secretsDir,
      AIMA_BROKER_LOGINS: place.loginsFile,
    };
    return (await run(process.execPath, [program], { env })).stdout;
  }
  /** Retries only while nobody listens there. */
  async function login(username: string, password: string, url = '', options: IClientOptions = {}) {
    for (;;) {
      try {
        const client = await mqtt.connectAsync(url || `mqtt://127.0.0.1:${ports.mqtt}`, {
          ...{ username, password, protocolVersion: 4, reconnectPeriod: 0 },
          ...options,
        });
        open.push(client);
        return client;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ECONNREFUSED') throw error;
        await sleep(50);
      }
    }
  }
  const functions = () => login('functions', secrets['mqtt-functions-password']);

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'aima-mosquitto-'));
    await chmod(dir, 0o755);
    secretsDir = join(dir, 'secrets');
    secrets = await ensureSecrets(secretsDir);
    await ensureCertificate(secretsDir, '127.0.0.1');
    const pair = await readCertificate(secretsDir);
    certificate = pair.certificate;
    ports = { mqtt: await freePort(), ws: await freePort(), tls: await freePort() };
    place = await placeMosquitto(join(dir, 'mosquitto'), ports, pair);
    expect(await setUp()).toContain('set functions, connector, objects');
    mosquitto = keep(place.command);
  });
  afterEach(async () => {
    await Promise.all(open.splice(0).map((client) => client.endAsync(true)));
  });
  afterAll(async () => {
    await mosquitto?.stop();
    if (dir) await rm(dir, { recursive: true, force: true });
  });

  it('has our logins on every listener, and nobody else', async () => {
    await functions();
    await login('connector', secrets['mqtt-connector-password'], `ws://127.0.0.1:${ports.ws}`);
    await login(
      'objects',
      secrets['mqtt-objects-password'],
      `mqtts://127.0.0.1:${ports.tls}`,
      pinned(certificate),
    );
    await expect(login('functions', 'wrong')).rejects.toThrow('Not authorized');
    await expect(login('admin', secrets['mqtt-functions-password'])).rejects.toThrow('Not authorized');
    await expect(mqtt.connectAsync(`mqtt://127.0.0.1:${ports.mqtt}`, { reconnectPeriod: 0 })).rejects.toThrow(
      'Not authorized',
    );
  });

  it('breaks a connection that sends more than 256 KiB at once', async () => {
    const sender = await functions();
    await sender.publishAsync('aima/jobs/queued', Buffer.alloc(250_000), { qos: 1 });
    const closed = new Promise<void>((resolve) => sender.once('close', resolve));
    sender.publish('aima/jobs/queued', Buffer.alloc(300_000), { qos: 1 });
    await closed;
  });

  it('changes nothing when set up again, also after Mosquitto has written the file', async () => {
    const before = await readFile(place.loginsFile, 'utf8');
    expect(await setUp()).toContain('nothing to change');
    expect(await readFile(place.loginsFile, 'utf8')).toBe(before);
    await openWorkerLogin(await functions(), { instanceId: 'kept', password: 'worker-secret' });
    expect(await setUp()).toContain('nothing to change');
  });

  it('has a changed secret after the next start, and the logins of leases still', async () => {
    const old = secrets['mqtt-connector-password'];
    await writeFile(join(secretsDir, 'mqtt-connector-password'), 'another-secret');
    expect(await setUp()).toContain('set connector in');
    await mosquitto.kill();
    await login('connector', 'another-secret');
    await expect(login('connector', old)).rejects.toThrow('Not authorized');
    await login(workerUsername('kept'), 'worker-secret', '', { clientId: workerUsername('kept') });
    secrets['mqtt-connector-password'] = 'another-secret';
  });

  it('writes a file that Mosquitto may rewrite, and nobody else may read', async () => {
    const { mode, uid } = await stat(place.loginsFile);
    expect(mode & 0o077).toBe(0);
    expect(uid).toBe((await stat(join(dir, 'mosquitto/data'))).uid);
  });

  it('says which secret is missing', async () => {
    const env = { AIMA_SECRETS_DIR: join(dir, 'nowhere'), AIMA_BROKER_LOGINS: place.loginsFile };
    await expect(run(process.execPath, [program], { env })).rejects.toThrow('mqtt-functions-password');
  });
});
