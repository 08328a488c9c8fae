/**
 * `npm run stop-everything`: the big red button. Ends every machine of ours at every provider, from
 * the providers' own lists, and asks nothing. Exit code 0 only when all of it is confirmed gone.
 */
import { parseArgs } from 'node:util';
import type { Config } from '../functions/core/config.ts';
import { openDatabase } from '../functions/core/database.ts';
import { type StopReport, stopEverything } from '../functions/core/instances/stop-everything.ts';
import { hold } from '../functions/core/planner/hold.ts';
import { installationConfig, openEveryProvider } from './installation.ts';

const usage = `npm run stop-everything -- [options]

  --provider NAME  only there; may be given several times
  --minutes N      how long to try (default 15; below 3 what was only just rented may stay unconfirmed)`;

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      provider: { type: 'string', multiple: true },
      minutes: { type: 'string', default: '15' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  const minutes = Number(values.minutes);
  if (values.help || !(minutes > 0)) {
    console.log(usage);
    return values.help ? 0 : 2;
  }
  const config = installationConfig(process.env);
  const ownerId = config.secret('owner-id');
  const opened = openEveryProvider(config).filter(({ name }) => values.provider?.includes(name) ?? true);
  const unknown = (values.provider ?? []).filter((name) => !opened.some((one) => one.name === name));
  if (unknown.length > 0) {
    console.error(
      `There is no provider ${unknown.join(', ')}, or its key is missing in ${config.AIMA_SECRETS_DIR}.`,
    );
    return 2;
  }
  const [reports] = await Promise.all([
    stopEverything(
      opened.flatMap(({ provider }) => provider ?? []),
      ownerId,
      { signal: AbortSignal.timeout(minutes * 60_000), log: console.log, waitsForLate: true },
    ),
    holdQueue(config),
  ]);
  for (const { name, fault } of opened)
    if (fault !== null) reports.push({ provider: name, machines: [], confirmed: false, why: fault });

  console.log(`\n${reports.map(summary).join('\n')}`);
  return reports.every(({ confirmed }) => confirmed) ? 0 : 1;
}

/** A system that runs would rent anew for what waits. It may be down: then there is nobody who would. */
async function holdQueue(config: Config): Promise<void> {
  try {
    const sql = openDatabase(config);
    await hold(sql, true);
    await sql.end({ timeout: 1 });
    console.log('The queue is held: nothing is rented until POST /function/orchestrate/release.');
  } catch (error) {
    console.log(
      `The queue is not held (${(error as Error).message}). If AIMA runs all the same, stop it: it may rent again.`,
    );
  }
}

function summary({ provider, machines, confirmed, why }: StopReport): string {
  const gone = machines.filter((machine) => machine.gone).length;
  const left = machines.filter((machine) => !machine.gone);
  return [
    `${provider}: ${machines.length} found, ${gone} confirmed gone${confirmed ? '' : `; NOT CONFIRMED: ${why}`}`,
    ...left.map((machine) => `  ${machine.label} (${machine.providerInstanceId}): ${machine.why}`),
  ].join('\n');
}

try {
  process.exit(await main());
} catch (error) {
  console.error((error as Error).message);
  process.exit(1);
}
