/** What runs in a simulated machine: the real worker program, as a process of this machine with small models. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { StartContainer } from './market.ts';

const program = join(import.meta.dirname, '../../../gpu-worker/main.ts');

export interface ProcessContainerOptions {
  /** Where this machine keeps its models. */
  modelsDir: string;
  /** Gets each line that a worker prints. */
  onLine?(machineId: string, line: string): void;
}

export function processContainer({ modelsDir, onLine }: ProcessContainerOptions): StartContainer {
  return (machine, _market, environment) => {
    const child = spawn(process.execPath, [program], {
      // A group of its own, so that all of it can be killed as a container is.
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        PATH: process.env.PATH,
        HOME: process.env.HOME,
        AIMA_MODELS_DIR: modelsDir,
        ...environment,
        // Whatever GPU was rented: there is none.
        AIMA_DEVICE: 'cpu',
      },
    });
    for (const stream of [child.stdout, child.stderr])
      createInterface({ input: stream }).on('line', (line) => onLine?.(machine.id, line));
    const ended = new Promise<void>((resolve) => {
      child.once('error', () => resolve());
      child.once('exit', () => resolve());
    });
    return {
      kill() {
        try {
          process.kill(-child.pid!, 'SIGKILL');
        } catch (error) {
          // It ended by itself.
          if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
        }
      },
      ended,
    };
  };
}
