/**
 * An hour in which nothing happens, on a clock that is moved: the real sweeps on a real Postgres, at
 * one simulated provider. Nothing is waited for, so that the counts are the same on every machine.
 */
import { sweepJobs, sweepLeases } from '../../../functions/core/sweep.ts';
import { openStage } from '../../../tests/faults/stage.ts';
import type { SimulatedProvider } from '../../../tests/providers/simulated.ts';

export interface IdleHour {
  /** Transactions that wrote something. */
  writesPerMin: number;
  /** Requests of whatever kind that the provider got. */
  providerCallsPerHour: number;
}

/** As the functions are called. */
const sweepSeconds = 30;
const sweeps = 3600 / sweepSeconds;

export async function idleHour(provider: SimulatedProvider): Promise<IdleHour> {
  const stage = await openStage(provider);
  try {
    // Only what is counted here may happen.
    stage.isFrozen = true;
    // What a start does is no part of idling.
    await sweepOnce(stage.core);
    const callsBefore = stage.simulator.requests.length;
    let writes = 0;
    for (let n = 0; n < sweeps; n++) {
      await stage.pass(sweepSeconds * 1000);
      const before = await nextTransaction(stage.sql);
      await sweepOnce(stage.core);
      writes += (await nextTransaction(stage.sql)) - before;
    }
    return {
      writesPerMin: writes / 60,
      providerCallsPerHour: stage.simulator.requests.length - callsBefore,
    };
  } finally {
    await stage.close();
  }
}

type Stage = Awaited<ReturnType<typeof openStage>>;

async function sweepOnce(core: Stage['core']): Promise<void> {
  await sweepJobs(core);
  await sweepLeases(core);
}

/** A transaction gets a number when it first writes; looking at the number takes none. */
async function nextTransaction(sql: Stage['sql']): Promise<number> {
  const [row] = await sql<{ xmax: number }[]>`
    select pg_snapshot_xmax(pg_current_snapshot())::text::float8 as xmax`;
  return row!.xmax;
}
