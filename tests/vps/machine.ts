/**
 * A whole server for a test: Debian's own systemd as process 1 in a container of systemd-nspawn, with a network of
 * its own and one cable to a second one, "outside". Needs root and the tree of a Debian, made by
 * `debootstrap --include=systemd,dbus,ca-certificates bookworm DIR`; it is copied first.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** For tests between networks (RFC 5737). */
export const address = '192.0.2.1';

export interface Outcome {
  status: number;
  output: string;
}

export interface Machine {
  /** Its files, as seen from here. */
  tree: string;
  /** Runs one program within the tree, with the network of this machine: nothing is booted then. */
  prepare(...command: string[]): Promise<Outcome>;
  boot(): Promise<void>;
  /** As `poweroff` on its console. */
  powerOff(): Promise<void>;
  /** Runs a bash script in the running machine. */
  bash(script: string): Promise<Outcome>;
  /** Runs a program of this machine at the other end of the cable. */
  outside(program: string, ...args: string[]): Promise<Outcome>;
  remove(): Promise<void>;
}

/** @param source is seen in the machine as /src, read-only. */
export async function makeMachine(debianTree: string, source: string): Promise<Machine> {
  const dir = await mkdtemp(join(tmpdir(), 'aima-machine-'));
  const tree = join(dir, 'tree');
  const [within, outer] = [`aima-in-${process.pid}`, `aima-out-${process.pid}`];
  let container: ChildProcess | undefined;
  let leader = '';

  await run('cp', ['-a', debianTree, tree]);
  await mkdir(join(tree, 'src'), { recursive: true });
  await writeFile(join(tree, 'etc/hosts'), '127.0.0.1 localhost aima.test s3.aima.test\n');
  // What vouches for the registries that packages come from here, where that is not what Debian brings.
  await cp('/usr/local/share/ca-certificates', join(tree, 'usr/local/share/ca-certificates'), {
    recursive: true,
  });

  const ip = (command: string) => run('ip', command.split(' '));
  for (const command of [
    `netns add ${within}`,
    `netns add ${outer}`,
    `link add cable netns ${within} type veth peer name cable netns ${outer}`,
    `-n ${within} addr add ${address}/24 dev cable`,
    `-n ${outer} addr add 192.0.2.2/24 dev cable`,
    ...[within, outer].flatMap((name) => [`-n ${name} link set cable up`, `-n ${name} link set lo up`]),
  ])
    await ip(command);

  const nspawn = ['-q', '-D', tree, '--register=no', '--keep-unit', `--bind-ro=${source}:/src`];
  const machine: Machine = {
    tree,
    prepare: (...command) => attempt('systemd-nspawn', [...nspawn, '--resolv-conf=copy-host', ...command]),

    async boot() {
      container = spawn(
        'systemd-nspawn',
        // The firewall is its own to set, in its own network.
        [
          ...nspawn,
          '--boot',
          '--resolv-conf=off',
          '--capability=CAP_NET_ADMIN',
          `--network-namespace-path=/run/netns/${within}`,
        ],
        { stdio: 'ignore' },
      );
      for (;;) {
        if (container.exitCode !== null) throw new Error('the machine does not boot');
        const children = await readFile(
          `/proc/${container.pid}/task/${container.pid}/children`,
          'utf8',
        ).catch(() => '');
        leader = children.trim().split(' ')[0]!;
        if (leader !== '' && (await machine.bash('systemctl is-system-running --wait')).status === 0) return;
        await sleep(200);
      }
    },

    async powerOff() {
      const exited = once(container!, 'exit');
      await run('kill', ['-s', 'RTMIN+4', leader]);
      await exited;
      container = undefined;
    },

    bash: (script) =>
      attempt('nsenter', [
        ...['-t', leader, '-m', '-u', '-i', '-n', '-p', '--', '/usr/bin/env', '-i', 'HOME=/root'],
        'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
        ...['bash', '-c', script],
      ]),

    outside: (program, ...args) => attempt('ip', ['netns', 'exec', outer, program, ...args]),

    async remove() {
      if (container) await machine.powerOff();
      for (const name of [within, outer]) await ip(`netns delete ${name}`).catch(() => {});
      await rm(dir, { recursive: true, force: true });
    },
  };
  return machine;
}

async function attempt(program: string, args: string[]): Promise<Outcome> {
  try {
    const { stdout, stderr } = await run(program, args, { maxBuffer: 64 * 2 ** 20 });
    return { status: 0, output: stdout + stderr };
  } catch (error) {
    const {
      code,
      stdout = '',
      stderr = '',
      message,
    } = error as Error & { code?: number; stdout?: string; stderr?: string };
    return { status: typeof code === 'number' ? code : 1, output: `${stdout}${stderr}` || message };
  }
}
