/** Everything that Prometheus is told, computed from Postgres when it asks. */
import type { Core } from '../core.ts';
import { within } from '../health/patience.ts';
import { countedMetrics } from './counted.ts';
import { exposition } from './exposition.ts';
import { instanceMetrics } from './instances.ts';
import { jobMetrics } from './jobs.ts';
import { moneyMetrics } from './money.ts';
import { serverMetrics } from './server.ts';
import { readTallies } from './tallies.ts';

/** Prometheus gives up after 10 s by default. */
const patienceMs = 8_000;

/** @throws AimaError `timeout`, or what Postgres throws: a scrape that fails is told by Prometheus as the target's being down. */
export async function readMetrics({ sql, config }: Pick<Core, 'sql' | 'config'>): Promise<string> {
  const parts = Promise.all([
    jobMetrics(sql),
    instanceMetrics(sql, config),
    moneyMetrics(sql, config),
    readTallies(sql).then(countedMetrics),
    serverMetrics(sql, config),
  ]);
  return exposition((await within(patienceMs, parts)).flat());
}
