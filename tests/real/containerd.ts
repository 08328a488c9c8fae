/**
 * A containerd of a test's own, with its data, state and socket in one folder, driven by ctr. Containers run
 * in the namespace that faasd uses for functions.
 */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { keep } from './kept.ts';
import { pathOf } from './parts.ts';

const run = promisify(execFile);

export interface ContainerOptions {
  id: string;
  image: string;
  environment: Record<string, string>;
  /** Paths in the container, by path on this machine; read-only. */
  mounts: ReadonlyMap<string, string>;
  memoryBytes: number;
  /** A network namespace of `ip netns`. */
  network: string;
  logFile: string;
}

export interface Containerd {
  load(archive: string): Promise<void>;
  start(container: ContainerOptions): Promise<void>;
  /** Its first process, or null where it does not run. */
  pid(id: string): Promise<number | null>;
  /** Ends it by force and forgets it; nothing happens where there is none. */
  remove(id: string): Promise<void>;
  /** Runs a command in it. @returns its exit status. */
  exec(id: string, ...command: string[]): Promise<number>;
  /** What containerd told of containers so far. */
  events(): string;
  close(): Promise<void>;
}

export async function startContainerd(dir: string): Promise<Containerd> {
  await mkdir(dir);
  const socket = join(dir, 'containerd.sock');
  const config = join(dir, 'config.toml');
  await writeFile(
    config,
    `version = 2
root = "${join(dir, 'root')}"
state = "${join(dir, 'state')}"
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[grpc]
  address = "${socket}"
`,
  );
  const daemon = keep({
    name: 'containerd',
    command: pathOf('containerd'),
    args: ['--config', config],
    env: { PATH: `${process.env.PATH}:/usr/sbin:/sbin` },
  });
  const address = ['--address', socket, '--namespace', 'openfaas-fn'];
  const ctr = async (...args: string[]) => (await run(pathOf('ctr'), [...address, ...args])).stdout;
  let snapshotter = '';
  for (; snapshotter === ''; await sleep(100)) {
    const plugins = await ctr('plugins', 'list').catch(() => '');
    // Overlays cannot be made everywhere; plain copies can.
    if (plugins) snapshotter = /snapshotter\S*\s+overlayfs\s.*\sok/.test(plugins) ? 'overlayfs' : 'native';
  }
  let events = '';
  const listener = spawn(pathOf('ctr'), [...address, 'events'], { stdio: ['ignore', 'pipe', 'ignore'] });
  listener.stdout.setEncoding('utf8').on('data', (text: string) => {
    events += text;
  });

  const state = async (id: string) => {
    const line = (await ctr('tasks', 'list')).split('\n').find((one) => one.startsWith(`${id} `));
    const [, pid, status] = line?.split(/\s+/) ?? [];
    return { pid: Number(pid), status };
  };
  const remove = async (id: string) => {
    await ctr('tasks', 'kill', '--signal', 'SIGKILL', id).catch(() => {});
    while ((await state(id)).status === 'RUNNING') await sleep(20);
    await ctr('tasks', 'delete', id).catch(() => {});
    await ctr('containers', 'delete', id).catch(() => {});
  };
  return {
    async load(archive) {
      await ctr('images', 'import', '--snapshotter', snapshotter, archive);
    },
    async start({ id, image, environment, mounts, memoryBytes, network, logFile }) {
      const flags = [
        ...Object.entries(environment).flatMap(([name, value]) => ['--env', `${name}=${value}`]),
        ...[...mounts].flatMap(([source, target]) => [
          '--mount',
          `type=bind,src=${source},dst=${target},options=rbind:ro`,
        ]),
      ];
      await ctr(
        ...['run', '--detach', '--snapshotter', snapshotter, ...flags],
        ...['--memory-limit', String(memoryBytes), '--with-ns', `network:/var/run/netns/${network}`],
        ...['--log-uri', `file://${logFile}`, image, id],
      );
    },
    async pid(id) {
      const { pid, status } = await state(id);
      return status === 'RUNNING' ? pid : null;
    },
    remove,
    async exec(id, ...command) {
      return ctr('tasks', 'exec', '--exec-id', `e${Date.now()}`, id, ...command).then(
        () => 0,
        (error: { code: number }) => error.code,
      );
    },
    events: () => events,
    async close() {
      const all = (await ctr('containers', 'list', '--quiet')).split('\n').filter(Boolean);
      await Promise.all(all.map(remove));
      const gone = once(listener, 'exit');
      listener.kill();
      await gone;
      await daemon.stop();
    },
  };
}
