/** S3 servers of other people as processes of a test, each in a folder of its own, on loopback. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from '../../infra/embedded/ports.ts';
import { type Endpoint, ROOT, sendSigned } from '../s3/fixture.ts';
import { pathOf } from './parts.ts';

export interface RunningServer extends Endpoint {
  output(): string;
}

/** MinIO or what descends from it. @param env more of its settings, such as a target for events */
export function startMinio(env: Record<string, string> = {}): Promise<RunningServer> {
  return start(pathOf('minio'), async (folder) => {
    const port = await freePort();
    return {
      port,
      args: ['server', '--address', `127.0.0.1:${port}`, join(folder, 'data')],
      env: {
        HOME: folder,
        MINIO_ROOT_USER: ROOT.accessKey,
        MINIO_ROOT_PASSWORD: ROOT.secretKey,
        MINIO_REGION: 'us-east-1',
        MINIO_BROWSER: 'off',
        ...env,
      },
    };
  });
}

/** Master, volume server, filer and S3 gateway in one process; each has a second port, 10000 higher, for gRPC. */
export async function startSeaweed(): Promise<RunningServer> {
  const server = await start(pathOf('weed'), async (folder) => {
    const [master, volume, filer, s3] = await portsWithTwins(4);
    const identities = [
      {
        name: 'root',
        credentials: [ROOT],
        actions: ['Admin', 'Read', 'Write', 'List', 'Tagging'],
      },
    ];
    await writeFile(join(folder, 's3.json'), JSON.stringify({ identities }));
    await mkdir(join(folder, 'data'));
    const args = [
      ...['server', '-ip=127.0.0.1', '-ip.bind=127.0.0.1', `-dir=${join(folder, 'data')}`],
      ...[`-master.port=${master}`, '-master.telemetry=false', '-master.volumeSizeLimitMB=64'],
      ...[`-volume.port=${volume}`, '-volume.max=500', '-filer', `-filer.port=${filer}`],
      ...['-s3', `-s3.port=${s3}`, `-s3.config=${join(folder, 's3.json')}`, '-s3.iam=false'],
      ...['-s3.port.iceberg=0', '-s3.port.lance=0'],
    ];
    return { port: s3!, args, env: { HOME: folder } };
  });
  // It answers before it has volumes to write to.
  await sendSigned(server, 'PUT', '/first');
  while ((await sendSigned(server, 'PUT', '/first/object', { body: Buffer.from('x') })).status !== 200) {
    await sleep(100);
    await sendSigned(server, 'PUT', '/first');
  }
  return server;
}

/** VersityGW over a folder. @param env more of its settings, such as where it sends events */
export function startVersity(env: Record<string, string> = {}): Promise<RunningServer> {
  return start(pathOf('versitygw'), async (folder) => {
    const port = await freePort();
    await mkdir(join(folder, 'data'));
    return {
      port,
      args: ['--port', `127.0.0.1:${port}`, '--quiet', 'posix', join(folder, 'data')],
      env: {
        ROOT_ACCESS_KEY_ID: ROOT.accessKey,
        ROOT_SECRET_ACCESS_KEY: ROOT.secretKey,
        VGW_CORS_ALLOW_ORIGIN: '*',
        ...env,
      },
    };
  });
}

async function start(
  path: string,
  plan: (folder: string) => Promise<{ port: number; args: string[]; env: Record<string, string> }>,
): Promise<RunningServer> {
  const folder = await mkdtemp(join(tmpdir(), 'aima-real-s3-'));
  const { port, args, env } = await plan(folder);
  const { PATH = '' } = process.env;
  const child = spawn(path, args, { cwd: folder, env: { PATH, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
  let printed = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      printed += text;
    });
  }
  const exited = once(child, 'exit');
  await untilItAnswers(port, child, () => printed);
  return {
    host: '127.0.0.1',
    port,
    url: `http://127.0.0.1:${port}`,
    region: 'us-east-1',
    ...ROOT,
    output: () => printed,
    close: async () => {
      child.kill('SIGTERM');
      const force = setTimeout(() => child.kill('SIGKILL'), 10_000);
      await exited;
      clearTimeout(force);
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Any answer but "not yet" will do: whoever is not signed in is refused. */
async function untilItAnswers(port: number, child: ChildProcess, output: () => string): Promise<void> {
  while (child.exitCode === null) {
    const status = await fetch(`http://127.0.0.1:${port}/`).then(
      async (answer) => {
        await answer.arrayBuffer();
        return answer.status;
      },
      () => 0,
    );
    if (status !== 0 && status !== 503) return;
    await sleep(50);
  }
  throw new Error(`the server ended with ${child.exitCode}:\n${output()}`);
}

async function portsWithTwins(count: number): Promise<number[]> {
  const ports = new Set<number>();
  while (ports.size < count) {
    const port = await freePort();
    if (port + 10_000 < 65_536) ports.add(port);
  }
  return [...ports];
}
