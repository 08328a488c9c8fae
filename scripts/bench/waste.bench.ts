/**
 * How much of what is paid for is not work: a film of an hour alone, and twenty clips of two minutes
 * that come together, at the simulated RunPod with boots of 90 s. The work itself takes as long as the
 * planner's priors have it on the GPU that it chose; what is measured is what comes around it.
 */
import { readWaste } from '../../functions/core/ledger/waste.ts';
import { priorWorkMs } from '../../functions/core/planner/estimate.ts';
import { gpuByName } from '../../functions/core/providers/gpus.ts';
import { openStage, type Stage, type SubmittedMedium } from '../../tests/faults/stage.ts';
import { simulatedProviders } from '../../tests/providers/simulated.ts';
import { figure } from './figures.ts';

const analyses = ['transcribe', 'ocr', 'objects', 'scenes'];
const film = (minutes: number): SubmittedMedium => ({
  kind: 'video',
  durationMs: minutes * 60_000,
  // 5 Mbit/s.
  sizeBytes: minutes * 60 * 625_000,
  analyses,
});
/** Finer than any phase that is told apart here. */
const stepMs = 500;

export async function run(): Promise<void> {
  const hour = await measure([film(60)]);
  const clips = await measure(Array.from({ length: 20 }, () => film(2)));
  console.log(`60 min: ${hour.told}`);
  console.log(`20 clips of 2 min: ${clips.told}`);
  figure('waste_60min_percent', hour.wastePercent);
  figure('waste_20x2min_percent', clips.wastePercent);
  figure('idle_after_commit_s', Math.max(hour.idleMs, clips.idleMs) / 1000);
}

async function measure(media: SubmittedMedium[]) {
  const runpod = simulatedProviders.find(({ name }) => name === 'runpod-pods')!;
  const stage: Stage = await openStage(runpod, {
    acceptMs: 3_000,
    pullMs: 80_000,
    loadMs: 7_000,
    workMs: (medium, { offerId }) => {
      // An offer of the simulated RunPod is called by cloud, GPU and data centre.
      const { speed } = gpuByName(offerId.split('/')[1]!);
      return priorWorkMs(medium) / speed;
    },
  });
  try {
    const jobIds: string[] = [];
    for (const medium of media) jobIds.push(await stage.submit(medium));
    while (!(await isOver(stage, jobIds))) await stage.pass(stepMs);
    const waste = await readWaste(stage.sql, { since: new Date(0) });
    const { machines } = stage.simulator.market;
    const idleMs = machines.map(({ id, endedAtMs }) => endedAtMs! - (stage.lastFinish.get(id) ?? endedAtMs!));
    const phases = waste.phases.map(
      ({ phase, durationMs }) => `${phase} ${(durationMs / 1000).toFixed(1)} s`,
    );
    return {
      wastePercent: waste.wasteShare! * 100,
      idleMs: Math.max(...idleMs),
      told: `${machines.length} machines (${[...new Set(machines.map((one) => one.offerId))].join(', ')}), $${(waste.microdollars / 1e6).toFixed(4)}: ${phases.join(', ')}`,
    };
  } finally {
    await stage.close();
  }
}

async function isOver({ sql }: Stage, jobIds: string[]): Promise<boolean> {
  const [row] = await sql<{ open: boolean }[]>`
    select exists (select from jobs where job_id in ${sql(jobIds)} and settled_at is null)
      or exists (select from instances where state <> 'terminated') as open`;
  return !row!.open;
}
