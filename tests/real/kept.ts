/**
 * A program that is kept running the way systemd's `Restart=always` keeps it: whatever ends it, it starts
 * again. A set-up step (`Type=oneshot`, `Restart=on-failure`) is repeated until it succeeds once.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';

/** Shorter than the units' pause, for the tests' sake. */
const RESTART_AFTER_MS = 250;

export interface Command {
  name: string;
  command: string;
  args: readonly string[];
  env?: Record<string, string | undefined>;
  /** Whose rights it has; those of this process where there is none. */
  account?: { uid: number; gid: number } | undefined;
  /** Ends by itself when its work is done. */
  isStep?: boolean;
  /** SIGTERM unless a program takes another for "end now". */
  stopSignal?: NodeJS.Signals;
}

export interface Kept {
  name: string;
  /** Settles when a step has succeeded. */
  done: Promise<void>;
  /** Undefined while it does not run. */
  pid(): number | undefined;
  /** How often it was started. */
  starts(): number;
  output(): string;
  /** SIGKILL; resolves when that process is gone. It starts again by itself. */
  kill(): Promise<void>;
  /** With its own signal to end, or another. */
  stop(signal?: NodeJS.Signals): Promise<void>;
}

export function keep({ name, command, args, env, account, isStep, stopSignal = 'SIGTERM' }: Command): Kept {
  let child: ChildProcess | undefined;
  let text = '';
  let starts = 0;
  const stopping = new AbortController();
  const { promise: done, resolve: succeed } = Promise.withResolvers<void>();

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      starts++;
      child = spawn(command, args, { cwd: '/', env, ...account, stdio: ['ignore', 'pipe', 'pipe'] });
      for (const stream of [child.stdout!, child.stderr!])
        stream.setEncoding('utf8').on('data', (chunk: string) => {
          text += chunk;
        });
      const [code] = await once(child, 'close').catch((error: Error) => [error.message]);
      child = undefined;
      if (isStep && code === 0) return succeed();
      await sleep(RESTART_AFTER_MS, undefined, { signal: stopping.signal }).catch(() => {});
    }
  }
  const running = run();

  return {
    name,
    done,
    pid: () => child?.pid,
    starts: () => starts,
    output: () => text,
    async kill() {
      while (child?.pid === undefined) await sleep(20);
      const gone = once(child, 'exit');
      child.kill('SIGKILL');
      await gone;
    },
    async stop(signal = stopSignal) {
      stopping.abort();
      child?.kill(signal);
      const force = setTimeout(() => child?.kill('SIGKILL'), 10_000);
      await running;
      clearTimeout(force);
    },
  };
}
