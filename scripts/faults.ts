/**
 * `npm run faults`: everything that can go wrong at providers, machines and around us, at every simulated
 * provider, and what became of it. Prints a table and the figures.
 *
 *   npm run faults                     all of it: some twenty minutes on two cores
 *   npm run faults -- vast salad       these providers alone
 *   npm run faults -- --short          one provider, a sample of the places to crash at
 */
import { parseArgs } from 'node:util';
import { runChaos } from '../tests/faults/chaos.ts';
import { runCrashes } from '../tests/faults/crash.ts';
import { addCounts, type Counts, noCounts, runCatalogue, type TrialResult } from '../tests/faults/run.ts';
import { type SimulatedProvider, simulatedProviders } from '../tests/providers/simulated.ts';
import { figure } from './bench/figures.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    short: { type: 'boolean', default: false },
    seed: { type: 'string', default: '1' },
    chaos: { type: 'string', default: '12' },
  },
});

const known = simulatedProviders.map(({ name }) => name);
const unknown = positionals.filter((name) => !known.includes(name));
if (unknown.length > 0) {
  console.error(`There is no simulator for ${unknown.join(', ')}; there are ${known.join(', ')}.`);
  process.exit(2);
}
const chosen = simulatedProviders.filter(({ name }) =>
  positionals.length > 0 ? positionals.includes(name) : !values.short || name === known[0],
);

const atOnce = 3;

let total = noCounts();
// What the code under test says of the faults is expected and would drown the table.
console.error = () => {};
console.warn = () => {};

function show(provider: string) {
  return (result: TrialResult) => {
    total = addCounts(total, result);
    const isClean = result.orphans + result.doubleRents + result.resultsLost + result.resultsDoubled === 0;
    console.log(
      [
        isClean ? 'ok   ' : 'FAULT',
        provider.padEnd(18),
        result.name.padEnd(62),
        `${String(result.faultsInjected).padStart(3)} injected`,
        `${String(result.machines).padStart(2)} machines`,
        `${String(Math.round(result.tookMs / 1000)).padStart(5)} s`,
        result.jobState,
        ...(isClean ? [] : [JSON.stringify(countsOf(result))]),
      ].join('  '),
    );
  };
}

function countsOf({ orphans, doubleRents, resultsLost, resultsDoubled }: Counts) {
  return { orphans, doubleRents, resultsLost, resultsDoubled };
}

async function tryAll(simulated: SimulatedProvider): Promise<void> {
  const onResult = show(simulated.name);
  const every = values.short ? 6 : 1;
  await runCatalogue(simulated, { onResult });
  await runCrashes(simulated, 'decide', { onResult, every });
  await runCrashes(simulated, 'end', { onResult, every });
  const rounds = values.short ? 2 : Number(values.chaos);
  await runChaos(simulated, { rounds, seed: Number(values.seed), onResult });
}

// Most of the time is spent waiting for Postgres: several providers at once keep two cores busy.
const left = [...chosen];
await Promise.all(
  Array.from({ length: atOnce }, async () => {
    for (let next = left.shift(); next; next = left.shift()) await tryAll(next);
  }),
);

figure('faults_injected', total.faultsInjected);
figure('orphans', total.orphans);
figure('double_rents', total.doubleRents);
figure('results_lost', total.resultsLost);
figure('results_doubled', total.resultsDoubled);
figure('orphan_found_s_max', total.orphanFoundMaxMs / 1000);
figure('orphan_ended_s_max', total.orphanEndedMaxMs / 1000);
const { orphans, doubleRents, resultsLost, resultsDoubled } = total;
process.exit(orphans + doubleRents + resultsLost + resultsDoubled === 0 ? 0 : 1);
