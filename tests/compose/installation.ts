/** The compose installation as processes of this machine, and who calls it from outside. */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, chown, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { wav } from '../../scripts/bench/wav.ts';
import { type Namespace, openNamespace } from '../public-address/namespace.ts';
import { buildDist, type Dist } from '../real/built.ts';
import { allHere, pathOf } from '../real/parts.ts';
import { type ComposeFile, composeDir, exampleEnvironment, readComposeFile } from './compose-file.ts';
import { type Engine, type ImageCommand, openEngine } from './engine.ts';

const busybox = ['/bin/busybox', '/usr/bin/busybox'].find((file) => existsSync(file));
const curl = ['/usr/bin/curl', '/usr/local/bin/curl'].find((file) => existsSync(file));

/** Null where this machine cannot run it; says why. @param what the tests that need it. */
export async function openNetwork(what: string): Promise<Namespace | null> {
  const partsAreHere = allHere(what, 'postgres', 'mosquitto', 'minio', 'caddy');
  const isRoot = process.getuid?.() === 0;
  if (!isRoot) console.log(`${what} skipped: it needs root, for mounts and users of its own.`);
  if (!busybox || !curl)
    console.log(`${what} skipped: no busybox or curl here (apt-get install busybox curl).`);
  return isRoot && busybox && curl && partsAreHere ? openNamespace() : null;
}

export interface Answer {
  status: number;
  body: string;
}

export interface Installation {
  engine: Engine;
  /** Folder of the volumes. */
  volumes: string;
  certificate: string;
  /** Headers of somebody who may do everything. */
  authorized: Record<string, string>;
  secret(name: string): Promise<string>;
  /** To port 443 of the server, as the world comes. */
  call(
    method: string,
    target: string,
    options?: { headers?: Record<string, string>; body?: string | Uint8Array },
  ): Promise<Answer>;
  /** Announces a tenth of a second of silence and uploads it. @returns the job and where it was uploaded to. */
  upload(request: object): Promise<{ jobId: string; url: string }>;
  jobUntil(jobId: string, state: string): Promise<void>;
  remove(): Promise<void>;
}

/**
 * @param options.change to the file as it was read, such as what an override file says.
 * @param options.imageFiles what our image has besides: path in the container → path on this machine.
 */
export async function startInstallation(
  network: Namespace,
  options: { change?: (file: ComposeFile) => void; imageFiles?: Record<string, string> } = {},
): Promise<Installation> {
  const { there, command } = network;
  const dir = await mkdtemp(path.join(tmpdir(), 'aima-compose-'));
  await chmod(dir, 0o755);
  const volumes = path.join(dir, 'volumes');
  const dist = await buildDist();
  const environment = { ...exampleEnvironment(), AIMA_PUBLIC_HOST: there };
  const file = readComposeFile(environment);
  for (const service of Object.values(file.services)) {
    if (service.env_file.length > 0) service.environment = { ...environment, ...service.environment };
  }
  options.change?.(file);
  for (const volume of Object.keys(file.volumes))
    await mkdir(path.join(volumes, volume), { recursive: true });
  // As Postgres's image has it, which a new volume takes over.
  await chown(path.join(volumes, 'postgres'), 999, 999);

  const engine = await openOn(file, dir, network, dist, options.imageFiles ?? {});
  let published: ChildProcess | undefined;
  async function remove(): Promise<void> {
    published?.kill();
    await engine.down();
    await dist.remove();
    await rm(dir, { recursive: true, force: true });
  }
  try {
    await engine.up();
    published = await publish(command);
  } catch (error) {
    await remove();
    throw error;
  }

  const secret = (name: string) => readFile(path.join(volumes, 'secrets/all', name), 'utf8');
  const certificate = await secret('server-certificate');
  const authorized = {
    authorization: `Bearer ${await secret('api-token')}`,
    'content-type': 'application/json',
  };
  const call: Installation['call'] = (method, target, { headers = {}, body = '' } = {}) =>
    new Promise((resolve, reject) => {
      const length = { 'content-length': String(Buffer.byteLength(body)) };
      const url = new URL(target, `https://${there}`);
      const sent = request(url, { method, ca: certificate, headers: { ...length, ...headers } }, (answer) => {
        let text = '';
        answer.setEncoding('utf8').on('data', (chunk: string) => {
          text += chunk;
        });
        answer.on('end', () => resolve({ status: answer.statusCode!, body: text }));
      });
      sent.on('error', reject);
      sent.end(body);
    });

  return {
    engine,
    volumes,
    certificate,
    authorized,
    secret,
    call,
    async upload(asked) {
      const medium = { name: 'silence.wav', contentType: 'audio/wav', sizeBytes: wav.length };
      const body = JSON.stringify({ ...medium, ...asked });
      const submitted = await call('POST', '/function/submit-job', { headers: authorized, body });
      if (submitted.status !== 202)
        throw new Error(`submit-job answered ${submitted.status}: ${submitted.body}`);
      const [job] = JSON.parse(submitted.body).jobs;
      const put = await call('PUT', job.upload.url, { headers: { 'content-type': 'audio/wav' }, body: wav });
      if (put.status !== 200) throw new Error(`the upload was answered ${put.status}: ${put.body}`);
      return { jobId: job.jobId, url: job.upload.url };
    },
    async jobUntil(jobId, state) {
      for (;;) {
        const { body } = await call('GET', `/function/jobs/${jobId}`, { headers: authorized });
        if (JSON.parse(body).state === state) return;
        await sleep(100);
      }
    },
    remove,
  };
}

async function openOn(
  file: ComposeFile,
  dir: string,
  { there, command }: Namespace,
  dist: Dist,
  imageFiles: Record<string, string>,
): Promise<Engine> {
  // Alpine's nc has -z, Debian's has not.
  const nc = path.join(dir, 'nc');
  await writeFile(nc, '#!/bin/bash\nexec 3<>"/dev/tcp/$2/$3"\n', { mode: 0o755 });
  const names = Object.keys(file.services).map((name) => `${there} ${name}\n`);
  return openEngine(
    file,
    {
      dir,
      composeDir,
      programs: {
        node: process.execPath,
        nc,
        wget: busybox!,
        caddy: pathOf('caddy'),
        silo: pathOf('minio'),
      },
      imageFiles: {
        '/aima/dist': dist.dir,
        '/aima/secrets.sh': path.join(composeDir, 'secrets.sh'),
        ...imageFiles,
      },
      hosts: `127.0.0.1 localhost\n${names.join('')}`,
      inNetwork: command,
    },
    imageCommands(path.dirname(pathOf('postgres'))),
  );
}

function imageCommands(postgresBin: string): Record<string, ImageCommand> {
  return {
    // What the image's own entrypoint does: a cluster where there is none, then the command.
    postgres: (service) => [
      'sh',
      '-c',
      `data=/var/lib/postgresql/data
       test -s $data/PG_VERSION || ${postgresBin}/initdb -D $data -U postgres --pwfile="$POSTGRES_PASSWORD_FILE" $POSTGRES_INITDB_ARGS
       shift; exec ${postgresBin}/postgres -D $data "$@"`,
      'sh',
      ...service.command,
    ],
    s3: (service) => ['silo', ...service.command],
  };
}

/** What the engine's port mapping does for 443:8443. */
async function publish(command: Namespace['command']): Promise<ChildProcess> {
  const forward = `require('node:net').createServer((outside) => {
    const inside = require('node:net').connect(8443, '127.0.0.1');
    for (const end of [outside, inside]) end.on('error', () => { outside.destroy(); inside.destroy(); });
    outside.pipe(inside).pipe(outside);
  }).listen(443, () => console.log('published'))`;
  const [program, args] = command(process.execPath, '-e', forward);
  const published = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  await new Promise((resolve) => published.stdout.once('data', resolve));
  return published;
}
