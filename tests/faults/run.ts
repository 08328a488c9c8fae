/** Tries faults at one provider and counts what must never be. */

import type { SimulatedProvider } from '../providers/simulated.ts';
import type { Fault } from '../providers/simulator/faults.ts';
import { allTrials, type Trial } from './catalogue.ts';
import { partsOfAJob } from './scripted-worker.ts';
import { openStage, orphansOn, type Stage } from './stage.ts';

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

/** Follows machines without a lease from step to step. */
function orphanWatch(stage: Stage) {
  const since = new Map<object, number>();
  const found = new Set<object>();
  let foundMaxMs = 0;
  let endedMaxMs = 0;
  const { market } = stage.simulator;
  return {
    async look(): Promise<number> {
      const now = stage.clock.nowMs();
      const orphans = new Set<object>(await orphansOn(stage));
      const events = await stage.sql<{ id: string }[]>`
        select data ->> 'providerInstanceId' as id from events where type = 'instance.orphan_ended'`;
      const seen = new Set(events.map((event) => event.id));
      for (const orphan of orphans) {
        // As long as the provider itself is out of order, nobody can find anything there.
        if (!since.has(orphan) || market.faults.pending('list') || market.faults.pending('terminate'))
          since.set(orphan, now);
        const { id } = orphan as { id: string };
        if (!found.has(orphan) && [...seen].some((one) => one?.endsWith(id))) {
          found.add(orphan);
          foundMaxMs = Math.max(foundMaxMs, now - since.get(orphan)!);
        }
      }
      for (const [orphan, sinceMs] of since) {
        if (orphans.has(orphan)) continue;
        if (!found.has(orphan)) foundMaxMs = Math.max(foundMaxMs, now - sinceMs);
        endedMaxMs = Math.max(endedMaxMs, now - sinceMs);
        since.delete(orphan);
      }
      return orphans.size;
    },
    result: () => ({ orphanFoundMaxMs: foundMaxMs, orphanEndedMaxMs: endedMaxMs }),
  };
}

/** Needs that two machines serve at this moment: two alive for one job, neither of which is being ended. */
async function doubleRents({ sql, simulator, provider }: Stage): Promise<number> {
  const serving = await sql<{ label: string; rentedFor: string }[]>`
    select label, rented_for from instances
    where provider = ${provider.name} and state in ('requested', 'in_doubt', 'booting', 'ready') and rented_for is not null`;
  const needOf = new Map(serving.map((row) => [row.label, row.rentedFor]));
  const counts = new Map<string, number>();
  for (const { label } of simulator.market.alive()) {
    const need = needOf.get(label);
    if (need) counts.set(need, (counts.get(need) ?? 0) + 1);
  }
  return [...counts.values()].filter((count) => count > 1).length;
}

/** What the workers saved of a finished job, against what they must have saved. */
async function checkResult(stage: Stage, jobId: string): Promise<{ lost: number; doubled: number }> {
  const rows = await stage.sql<{ text: string }[]>`
    select text from segments where job_id = ${jobId} order by start_ms`;
  const expected = Array.from({ length: partsOfAJob }, (_, index) => `part ${index}`);
  const lost = expected.filter((text) => !rows.some((row) => row.text === text)).length;
  const doubled = rows.length - new Set(rows.map((row) => row.text)).size;
  return { lost: lost > 0 ? 1 : 0, doubled: doubled > 0 ? 1 : 0 };
}

/** Runs jobs to their end under what is injected, and everything behind them until no machine is left. */
export async function runTrial(
  stage: Stage,
  trial: Omit<Trial, 'group'>,
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

/** Many jobs while calls of every kind go wrong at random, from a seed. */
export async function runChaos(
  simulated: SimulatedProvider,
  options: { rounds: number; seed: number; onResult?(result: TrialResult): void },
): Promise<TrialResult[]> {
  const random = seeded(options.seed);
  const stage = await openStage(simulated);
  const results: TrialResult[] = [];
  try {
    for (let round = 0; round < options.rounds; round++) {
      await forget(stage);
      const result = await runTrial(stage, chaosOf(round, random), { jobs: 3 });
      results.push(result);
      options.onResult?.(result);
    }
  } finally {
    await stage.close();
  }
  return results;
}

function chaosOf(round: number, random: () => number): Omit<Trial, 'group'> {
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)]!;
  const failures: Fault[] = [
    { kind: 'answer_lost' },
    { kind: 'dropped' },
    { kind: 'answer', status: 500, body: 'oops', done: true },
    { kind: 'answer', status: 503, body: '<html></html>', done: false },
  ];
  const injections = 12;
  let left = injections;
  return {
    name: `chaos ${round + 1}`,
    during({ simulator: { market } }) {
      if (left <= 0 || market.faults.waiting > 4) return;
      left--;
      const call = pick(['create', 'list', 'read', 'terminate', 'offers'] as const);
      market.faults.add(call, pick(failures));
      const alive = market.alive();
      if (random() < 0.15 && alive.length > 0) market.preempt(pick(alive).id);
      if (random() < 0.15 && alive.length > 0) market.restart(pick(alive).id);
    },
    after: ({ simulator: { market } }) => market.faults.clear(),
  };
}

/** Mulberry32: small, and the same everywhere, so that a failure can be had again by its seed. */
function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}
