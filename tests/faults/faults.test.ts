/**
 * The short form of `npm run faults`, as it is part of every test run: at RunPod's pods every fault of the
 * catalogue, at the others those of create and terminate, a sample of the places to die at, and chaos.
 */
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { simulatedProviders } from '../providers/simulated.ts';
import type { Trial } from './catalogue.ts';
import { runChaos } from './chaos.ts';
import { runCrashes } from './crash.ts';
import { addCounts, noCounts, runCatalogue, type TrialResult } from './run.ts';

let total = noCounts();

// What the code says of faults that were made on purpose would drown every other word.
beforeAll(() => {
  vi.spyOn(console, 'error').mockImplementation(() => {});
  vi.spyOn(console, 'warn').mockImplementation(() => {});
});

function holdToIt(results: TrialResult[]): void {
  for (const result of results) {
    total = addCounts(total, result);
    const { name, jobState, orphans, doubleRents, resultsLost, resultsDoubled } = result;
    expect({ name, jobState, orphans, doubleRents, resultsLost, resultsDoubled }).toEqual({
      name,
      jobState: jobState.replaceAll(/[a-z]+/g, 'succeeded'),
      orphans: 0,
      doubleRents: 0,
      resultsLost: 0,
      resultsDoubled: 0,
    });
  }
  expect(results.length).toBeGreaterThan(0);
}

const [first, ...others] = simulatedProviders;

describe('no machine is lost, none rented twice, no result lost or doubled', () => {
  it(`whatever goes wrong at ${first!.name}`, async () => {
    holdToIt(await runCatalogue(first!));
  }, 240_000);

  const some = ({ name }: Trial) =>
    /answer lost after|never appears|offer gone|404 though|200 though|partial|preempted in the middle|restored/.test(
      name,
    );
  for (const simulated of others) {
    it(`when the worst goes wrong at ${simulated.name}`, async () => {
      holdToIt(await runCatalogue(simulated, { filter: some }));
    }, 240_000);
  }

  it('when the process dies in the middle of a launch', async () => {
    holdToIt(await runCrashes(first!, 'decide', { every: 6 }));
  }, 240_000);

  it('when the process dies in the middle of a termination', async () => {
    holdToIt(await runCrashes(first!, 'end', { every: 8 }));
  }, 240_000);

  it('when everything goes wrong at random', async () => {
    holdToIt(await runChaos(first!, { rounds: 2, seed: 7 }));
  }, 240_000);
});

afterAll(() => {
  // Found at the next look, ended at once: on the simulated clock, once the provider answers again.
  expect(total.orphanFoundMaxMs).toBeLessThanOrEqual(60_000);
  expect(total.orphanEndedMaxMs).toBeLessThanOrEqual(120_000);
});
