/**
 * kill -9 between every two statements of the launch and of the termination: a process of its own
 * does one or the other and dies before its first message, before its second, and so on until it lives
 * to the end. After each death the rest of the system must bring the job and the machines to their end.
 */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { SimulatedProvider } from '../providers/simulated.ts';
import { forget, runTrial, type TrialResult } from './run.ts';
import { openStage, type Stage } from './stage.ts';

const program = fileURLToPath(new URL('crash-child.ts', import.meta.url));

/** Surely more than either operation sends: a guard against a child that never ends by itself. */
const mostMessages = 300;

/** @returns whether it lived to the end. */
async function runChild(stage: Stage, operation: 'decide' | 'end', nth: number): Promise<boolean> {
  const child = spawn(process.execPath, [program, operation, String(nth)], {
    env: { PATH: process.env.PATH, ...stage.env },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const [code, signal] = await new Promise<[number | null, NodeJS.Signals | null]>((resolve) =>
    child.once('exit', (...end) => resolve(end)),
  );
  if (signal === 'SIGKILL') return false;
  if (code !== 0) throw new Error(`the child ended with ${code ?? signal}`);
  return true;
}

/** @param options.every only every so many places, for a short run. */
export async function runCrashes(
  simulated: SimulatedProvider,
  operation: 'decide' | 'end',
  options: { every?: number; onResult?(result: TrialResult): void } = {},
): Promise<TrialResult[]> {
  const stage = await openStage(simulated);
  const results: TrialResult[] = [];
  try {
    let isWhole = false;
    for (let nth = 1; !isWhole && nth < mostMessages; nth += options.every ?? 1) {
      await forget(stage);
      let isDone = false;
      const result = await runTrial(stage, {
        name: `kill -9 before message ${nth} of ${operation === 'decide' ? 'the launch' : 'the termination'}`,
        injects: 1,
        // Only the child does it: the stage must not be quicker.
        before: () => {
          stage.isFrozen = operation === 'decide';
        },
        async during() {
          if (isDone) return;
          if (operation === 'end') stage.isFrozen ||= await hasBegun(stage);
          if (!(await isTime(stage, operation))) return;
          isDone = true;
          isWhole = await runChild(stage, operation, nth);
          stage.isFrozen = false;
        },
        after() {
          if (!isDone) throw new Error(`nobody was killed before message ${nth}`);
        },
      });
      results.push(result);
      options.onResult?.(result);
    }
  } finally {
    await stage.close();
  }
  return results;
}

async function hasBegun({ sql }: Stage): Promise<boolean> {
  const [running] = await sql`select from jobs where state = 'running' limit 1`;
  return running !== undefined;
}

/** The launch begins with a queued job; the termination with an instance that is to end. */
async function isTime({ sql }: Stage, operation: 'decide' | 'end'): Promise<boolean> {
  if (operation === 'decide') {
    const [queued] = await sql`select from jobs where state = 'queued' limit 1`;
    return queued !== undefined;
  }
  // The job is done and nobody has looked since: the planner drains, and the child ends.
  const [finished] = await sql`
    select from jobs j join attempts a using (job_id) join instances i on i.instance_id = a.instance_id
    where j.state = 'succeeded' and i.state in ('ready', 'booting') limit 1`;
  if (!finished) return false;
  await sql`update instances set state = 'terminating', reason = 'done' where state in ('ready', 'booting')`;
  return true;
}
