/** Everything at once and at random, from a seed, so that a failure can be had again. */
import type { SimulatedProvider } from '../providers/simulated.ts';
import type { Fault } from '../providers/simulator/faults.ts';
import type { Trial } from './catalogue.ts';
import { forget, runTrial, type TrialResult } from './run.ts';
import { openStage } from './stage.ts';

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

function chaosOf(round: number, random: () => number): Trial {
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
