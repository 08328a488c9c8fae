/**
 * Builds the worker's container image with whichever engine this machine has.
 *
 *   npm run build:worker -- --tag registry.example/aima-worker:1 [--push] [--cpu]
 *   npm run build:worker -- --check [--cpu]     without an engine: is it complete, and does it run?
 *
 * AIMA_WORKER_IMAGE is then the tag, which providers pull without logging in.
 */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { checkImage } from './build-worker/check.ts';

const root = join(import.meta.dirname, '..');
const engines = ['docker', 'podman', 'buildah'];

const { values } = parseArgs({
  options: {
    tag: { type: 'string' },
    push: { type: 'boolean', default: false },
    cpu: { type: 'boolean', default: false },
    check: { type: 'boolean', default: false },
  },
});
const dockerfile = values.cpu ? 'gpu-worker/cpu.Dockerfile' : 'gpu-worker/Dockerfile';

if (values.check) {
  process.exitCode = await checkImage(root, dockerfile, console.log);
} else if (values.tag === undefined) {
  console.error('npm run build:worker -- --tag NAME [--push] [--cpu], or --check');
  process.exitCode = 2;
} else process.exitCode = build(values.tag);

function build(tag: string): number {
  // `info` asks the engine itself: a docker command whose daemon does not run is no engine.
  const engine = engines.find((name) => spawnSync(name, ['info'], { stdio: 'ignore' }).status === 0);
  if (!engine) {
    console.error(
      `There is no container engine that answers: ${engines.join(', ')} were tried. --check needs none.`,
    );
    return 1;
  }
  const run = (...args: string[]) =>
    spawnSync(engine, args, { cwd: root, stdio: 'inherit', env: { ...process.env, DOCKER_BUILDKIT: '1' } })
      .status ?? 1;
  const status = run('build', '--platform', 'linux/amd64', '-f', dockerfile, '-t', tag, '.');
  return status === 0 && values.push ? run('push', tag) : status;
}
