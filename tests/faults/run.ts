/** Tries faults at one provider and counts what must never be. */

import type { SimulatedProvider } from '../providers/simulated.ts';
import { allTrials, type Trial } from './catalogue.ts';
import { openStage, type Stage } from './stage.ts';
import { checkResult, doubleRents, orphansOn, orphanWatch } from './watch.ts';

export interface Counts {
  faultsInjected: number;
  /** Machines alive that no lease accounts for, when all was over. */
  orphans: number;
  /** Moments with two machines that serve one need. */
  doubleRents: number;
  resultsLost: number;
  resultsDoubled: number;
  /** On the simulated clock, from when the provider answers again. */
  orphanFoundMaxMs: number;
  orphanEndedMaxMs: number;
}

export interface TrialResult extends Counts {
  name: string;
  /** How long the job took on the simulated clock, and how many machines it needed. */
  tookMs: number;
  machines: number;
  jobState: string;
}

export function noCounts(): Counts {
  return {
    faultsInjected: 0,
    orphans: 0,
    doubleRents: 0,
    resultsLost: 0,
    resultsDoubled: 0,
    orphanFoundMaxMs: 0,
    orphanEndedMaxMs: 0,
  };
}

export function addCounts(a: Counts, b: Counts): Counts {
  return {
    faultsInjected: a.faultsInjected + b.faultsInjected,
    orphans: a.orphans + b.orphans,
    doubleRents: a.doubleRents + b.doubleRents,
    resultsLost: a.resultsLost + b.resultsLost,
    resultsDoubled: a.resultsDoubled + b.resultsDoubled,
    orphanFoundMaxMs: Math.max(a.orphanFoundMaxMs, b.orphanFoundMaxMs),
    orphanEndedMaxMs: Math.max(a.orphanEndedMaxMs, b.orphanEndedMaxMs),
  };
}

const stepMs = 5_000;
/** Nothing in the catalogue takes longer: the longest waits are paused providers and tries that back off. */
const patienceMs = 3 * 3_600_000;

/** Runs jobs to their end under what is injected, and everything behind them until no machine is left. */
export async function runTrial(
  stage: Stage,
  trial: Trial,
  options: { jobs?: number } = {},
): Promise<TrialResult> {
  const { market } = stage.simulator;
  const injectedBefore = market.faults.injected;
  const machinesBefore = market.machines.length;
  const beganMs = stage.clock.nowMs();
  const watch = orphanWatch(stage);
  let doubles = 0;
  await trial.before?.(stage);
  const jobIds: string[] = [];
  for (let n = 0; n < (options.jobs ?? 1); n++) jobIds.push(await stage.submit());
  let state = await endOf(stage, jobIds);
  let orphans = 0;
  while (stage.clock.nowMs() - beganMs < patienceMs) {
    await stage.pass(stepMs);
    await trial.during?.(stage, stage.clock.nowMs() - beganMs);
    doubles += await doubleRents(stage);
    orphans = await watch.look();
    state = await endOf(stage, jobIds);
    if (state.isOver && orphans === 0 && state.living === 0 && market.faults.waiting === 0) break;
    // A fault that nothing met any more would wait for ever.
    if (state.isOver && state.living === 0 && orphans === 0) market.faults.clear();
  }
  await trial.after?.(stage);
  let lost = 0;
  let doubled = 0;
  for (const jobId of jobIds) {
    const result = await checkResult(stage, jobId);
    lost += state.states.get(jobId) === 'succeeded' ? result.lost : 1;
    doubled += result.doubled;
  }
  return {
    name: trial.name,
    tookMs: stage.clock.nowMs() - beganMs,
    machines: market.machines.length - machinesBefore,
    jobState: [...state.states.values()].join(', '),
    faultsInjected: market.faults.injected - injectedBefore + (trial.injects ?? 0),
    orphans: orphans + (state.isOver ? (await orphansOn(stage)).length : state.living),
    doubleRents: doubles,
    resultsLost: lost,
    resultsDoubled: doubled,
    ...watch.result(),
  };
}

async function endOf({ sql }: Stage, jobIds: string[]) {
  const jobs = await sql<{ jobId: string; state: string; settledAt: Date | null }[]>`
    select job_id, state, settled_at from jobs where job_id in ${sql(jobIds)}`;
  const [row] = await sql<{ living: number }[]>`
    select count(*)::integer as living from instances where state <> 'terminated'`;
  return {
    states: new Map(jobs.map((job) => [job.jobId, job.state])),
    isOver: jobs.every((job) => job.settledAt !== null),
    living: row!.living,
  };
}

/** Whatever was learned from a trial must not spoil the next: bad hosts and pauses are forgotten. */
export async function forget({ sql, simulator }: Stage): Promise<void> {
  simulator.market.faults.clear();
  await sql`delete from avoided`;
  await sql`update providers set paused_until_at = null, failures = 0, offers_at = null`;
  for (const offer of simulator.market.offers) offer.stock = Math.max(offer.stock, 3);
}

/** Every trial of the catalogue at one provider, each from a clean start. */
export async function runCatalogue(
  simulated: SimulatedProvider,
  options: { filter?(trial: Trial): boolean; onResult?(result: TrialResult): void } = {},
): Promise<TrialResult[]> {
  const stage = await openStage(simulated);
  const results: TrialResult[] = [];
  try {
    for (const trial of allTrials()) {
      if (trial.needsList && !stage.provider.isListed) continue;
      if (trial.needsRoom && stage.provider.name === 'ssh') continue;
      if (options.filter && !options.filter(trial)) continue;
      await forget(stage);
      const result = await runTrial(stage, trial);
      results.push(result);
      options.onResult?.(result);
    }
  } finally {
    await stage.close();
  }
  return results;
}
