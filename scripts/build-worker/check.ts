/**
 * Checks an image of the worker without a container engine: puts together the files that the last stage
 * of its Dockerfile would hold, installs the packages as the Dockerfile does, and starts the worker
 * there. What stays untried is the base image, CUDA, and the models.
 */
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { newId } from '../../functions/core/ids.ts';
import { readDockerIgnore } from './docker-ignore.ts';
import { readDockerfile, type Stage } from './dockerfile.ts';

/** The lease of nobody, at a server that is not there. */
const environment = {
  AIMA_INSTANCE_ID: newId(),
  AIMA_DATABASE_URL: 'postgres://nobody:nothing@127.0.0.1:1/aima',
  AIMA_MQTT_URL: 'mqtt://127.0.0.1:1',
  AIMA_BOOT_PATIENCE_SECONDS: '2',
};

/** Loads all that a job needs, and runs a model as the device test does. */
const program = `
  const { runOneModel, testDevice } = await import('./gpu-worker/lease/device.ts');
  await testDevice('cpu');
  await runOneModel('cpu');
  await import('./gpu-worker/pipeline.ts');
  const { analyzers } = await import('./gpu-worker/analyzers/index.ts');
  console.log('a model ran; analyzers: ' + analyzers.map(({ name }) => name).join(', '));
`;

/** @param log gets a line for each step. @returns an exit status. */
export async function checkImage(
  root: string,
  dockerfile: string,
  log: (line: string) => void,
): Promise<number> {
  const stages = readDockerfile(join(root, dockerfile));
  const missing = stages
    .flatMap(({ copies }) => copies.flatMap(({ from }) => from))
    .filter((path) => !existsSync(join(root, path)));
  if (missing.length > 0) {
    log(`${dockerfile} copies what is not there: ${missing.join(', ')}`);
    return 1;
  }
  lint(root, dockerfile, log);
  const image = mkdtempSync(join(tmpdir(), 'aima-image-'));
  try {
    const worker = join(image, 'worker');
    assemble(root, stages.at(-1)!, image);
    if (!install(root, worker, log)) return 1;
    return tryDevice(worker, log) && tryWorker(worker, log) ? 0 : 1;
  } finally {
    rmSync(image, { recursive: true, force: true });
  }
}

/** As the build would: what .dockerignore keeps away is not copied. */
export function assemble(root: string, stage: Stage, image: string): void {
  const isSeen = readDockerIgnore(readFileSync(join(root, '.dockerignore'), 'utf8'));
  for (const { from, to } of stage.copies) {
    for (const path of from) {
      const place = to.endsWith('/') ? join(image, to, path.split('/').at(-1)!) : join(image, to);
      cpSync(join(root, path), place, {
        recursive: true,
        filter: (source) => isSeen(source.slice(root.length + 1)),
      });
    }
  }
}

function lint(root: string, dockerfile: string, log: (line: string) => void): void {
  const linted = spawnSync('hadolint', ['--ignore', 'DL3008', dockerfile], { cwd: root, encoding: 'utf8' });
  if (linted.error) log('hadolint is not installed: its rules are not checked');
  else log(linted.status === 0 ? 'hadolint finds nothing' : linted.stdout.trim());
}

/** `npm ci` of the trimmed lockfile, with the npm that runs this. */
function install(root: string, worker: string, log: (line: string) => void): boolean {
  const trimmed = spawnSync(process.execPath, [join(root, 'gpu-worker/image/trim-lock.ts'), worker]);
  const npm = process.env.npm_execpath;
  const [command, first] = npm?.endsWith('.js') ? [process.execPath, [npm]] : ['npm', []];
  const args = ['ci', '--omit=dev', '--ignore-scripts', '--no-audit', '--no-fund'];
  const installed = spawnSync(command, [...first, ...args], {
    cwd: worker,
    encoding: 'utf8',
    // Those of the npm that runs this script, such as its prefix, are about this repository.
    env: { PATH: `${dirname(process.execPath)}:${process.env.PATH}`, HOME: process.env.HOME },
  });
  if (trimmed.status === 0 && installed.status === 0) {
    log(installed.stdout.trim());
    return true;
  }
  log(`its packages cannot be installed: ${trimmed.stderr}${installed.stderr}`);
  return false;
}

function tryDevice(worker: string, log: (line: string) => void): boolean {
  const ran = spawnSync(process.execPath, ['--input-type=module', '-e', program], {
    cwd: worker,
    encoding: 'utf8',
  });
  log((ran.status === 0 ? ran.stdout : `no model ran: ${ran.stderr}`).trim());
  return ran.status === 0;
}

/** The worker begins, does not reach the server, and says so. */
function tryWorker(worker: string, log: (line: string) => void): boolean {
  const ran = spawnSync(process.execPath, ['gpu-worker/main.ts'], {
    cwd: worker,
    encoding: 'utf8',
    env: { PATH: process.env.PATH, HOME: process.env.HOME, ...environment },
    timeout: 60_000,
  });
  const isWell = ran.stdout.includes('could not reach the server') && ran.status === 0;
  log(`the worker says: ${ran.stdout.trim()} ${ran.stderr.trim()}`.trim());
  return isWell;
}
