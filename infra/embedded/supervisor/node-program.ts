/** Runs a Node program of this project as a child, for as long as it lasts. */

import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

export interface NodeProgram {
  /** The file that Node runs, and what comes after it on the command line. */
  script: string;
  args?: readonly string[];
  /** Its whole environment. */
  env: Readonly<Record<string, string | undefined>>;
  /** Gets each line it prints and the stream it came on. */
  log(line: string, stream: 'stdout' | 'stderr'): void;
}

export interface RunningProgram {
  child: ChildProcess;
  /** Settles when it has ended, for whatever reason, with that reason in words. */
  exited: Promise<string>;
  /** Its last lines, which usually say why it failed; empty, or starting with a colon. */
  lastWords(): string;
}

const PARENT_WATCH = import.meta.resolve('./parent-watch.ts');
const TAIL_LINES = 10;

/** Starts the program; it ends by itself when this process does (parent-watch.ts). */
export function launchProgram(program: NodeProgram): RunningProgram {
  const args = ['--import', PARENT_WATCH, program.script, ...(program.args ?? [])];
  const child = spawn(process.execPath, args, {
    env: program.env,
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    // A process group of its own: Ctrl-C in the terminal reaches the supervisor only, which stops in order.
    detached: true,
  });
  const tail: string[] = [];
  for (const stream of ['stdout', 'stderr'] as const) {
    createInterface({ input: child[stream]! }).on('line', (line) => {
      tail.push(line);
      if (tail.length > TAIL_LINES) tail.shift();
      program.log(line, stream);
    });
  }
  const exited = new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(error.message));
    // Not 'close': a worker that it started may hold its streams open for longer.
    child.once('exit', (code, by) => resolve(by ? `killed by ${by}` : `exit code ${code}`));
  });
  return {
    child,
    exited,
    lastWords: () => (tail.length === 0 ? '' : `:\n  ${tail.join('\n  ')}`),
  };
}

/**
 * Runs a program that does one thing and ends.
 * @throws with the last line it printed when it does not end with exit code 0; the signal's reason when aborted.
 */
export async function runProgram(program: NodeProgram, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  let lastLine = '';
  const { child } = launchProgram({
    ...program,
    log(line, stream) {
      lastLine = line;
      program.log(line, stream);
    },
  });
  const kill = () => child.kill('SIGKILL');
  signal.addEventListener('abort', kill);
  try {
    const code = await new Promise<number | null>((resolve, reject) => {
      child.once('error', reject).once('close', resolve);
    });
    signal.throwIfAborted();
    if (code !== 0) throw new Error(lastLine || `exit code ${code}`);
  } finally {
    signal.removeEventListener('abort', kill);
  }
}
