/** The server itself: sweeps, providers, what is still to be told, database and disk. */
import type { Config } from '../config.ts';
import type { Sql } from '../database.ts';
import { readDisk } from '../health/disk.ts';
import { type ProviderNote, readProviders } from '../health/providers.ts';
import { readSweeps } from '../health/sweeps.ts';
import type { Metric } from './exposition.ts';

interface Pending {
  waiting: number;
  failing: number;
  givenUp: number;
  warning: number;
  critical: number;
  untold: number;
  deletions: number;
  databaseBytes: number;
}

export async function serverMetrics(sql: Sql, config: Config): Promise<Metric[]> {
  const [sweeps, providers, [pending], disk] = await Promise.all([
    readSweeps(sql),
    readProviders(sql, config.AIMA_PROVIDERS),
    sql<Pending[]>`
      select w.*, a.*, (select count(*)::int from deletions) as deletions,
        pg_database_size(current_database()) as database_bytes
      from (
        select (count(*) filter (where next_try_at is not null and tries = 0))::int as waiting,
          (count(*) filter (where next_try_at is not null and tries > 0))::int as failing,
          (count(*) filter (where next_try_at is null))::int as given_up
        from webhooks where delivered_at is null
      ) w, (
        select (count(*) filter (where severity = 'warning'))::int as warning,
          (count(*) filter (where severity = 'critical'))::int as critical,
          (count(*) filter (where told_at is null))::int as untold
        from alerts where resolved_at is null
      ) a`,
    readDisk(config),
  ]);
  return [
    {
      name: 'aima_sweep_lag_seconds',
      type: 'gauge',
      help: 'Since a sweep last went through; noted every two minutes.',
      samples: sweeps.map(({ name, lagMs }) => ({ labels: { sweep: name }, value: lagMs / 1000 })),
    },
    {
      name: 'aima_sweep_failing_steps',
      type: 'gauge',
      help: 'Steps that failed when the sweep last went through.',
      samples: sweeps.map(({ name, failing }) => ({ labels: { sweep: name }, value: failing.length })),
    },
    ...providerMetrics(providers),
    {
      name: 'aima_webhooks_undelivered',
      type: 'gauge',
      help: 'Callbacks that did not arrive: waiting for the first try, failing so far, given up.',
      samples: [
        { labels: { state: 'waiting' }, value: pending!.waiting },
        { labels: { state: 'failing' }, value: pending!.failing },
        { labels: { state: 'given_up' }, value: pending!.givenUp },
      ],
    },
    {
      name: 'aima_alerts_open',
      type: 'gauge',
      help: 'What a person should see to.',
      samples: [
        { labels: { severity: 'warning' }, value: pending!.warning },
        { labels: { severity: 'critical' }, value: pending!.critical },
      ],
    },
    {
      name: 'aima_alerts_untold',
      type: 'gauge',
      help: 'Open alerts that not everybody has been told, or that nobody is to be told.',
      samples: [{ value: pending!.untold }],
    },
    {
      name: 'aima_deletions_pending',
      type: 'gauge',
      help: 'Objects and folders that are still to be deleted.',
      samples: [{ value: pending!.deletions }],
    },
    {
      name: 'aima_database_size_bytes',
      type: 'gauge',
      help: 'Size of the database on its disk.',
      samples: [{ value: pending!.databaseBytes }],
    },
    {
      name: 'aima_disk_free_bytes',
      type: 'gauge',
      help: 'Free on the disk that the functions run on.',
      samples: disk ? [{ value: disk.freeBytes }] : [],
    },
    {
      name: 'aima_disk_size_bytes',
      type: 'gauge',
      help: 'Size of the disk that the functions run on.',
      samples: disk ? [{ value: disk.sizeBytes }] : [],
    },
  ];
}

function providerMetrics(providers: readonly ProviderNote[]): Metric[] {
  const of = (value: (note: ProviderNote) => number) =>
    providers.map((note) => ({ labels: { provider: note.provider }, value: value(note) }));
  return [
    {
      name: 'aima_provider_paused',
      type: 'gauge',
      help: '1 while nothing is rented there because of what went wrong.',
      samples: of(({ pausedUntilAt }) => (pausedUntilAt ? 1 : 0)),
    },
    {
      name: 'aima_provider_failures',
      type: 'gauge',
      help: 'Calls in a row that failed.',
      samples: of(({ failures }) => failures),
    },
    {
      name: 'aima_provider_list_age_seconds',
      type: 'gauge',
      help: 'Since the last whole and credible list of its machines.',
      samples: providers.flatMap(({ provider, listAgeMs }) =>
        listAgeMs === null ? [] : [{ labels: { provider }, value: listAgeMs / 1000 }],
      ),
    },
  ];
}
