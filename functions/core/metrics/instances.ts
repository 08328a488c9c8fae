/** Rented machines: how many live, what they cost by the hour, which do nothing, and which should be gone. */
import type { Config } from '../config.ts';
import type { Sql } from '../database.ts';
import type { Metric } from './exposition.ts';

interface Live {
  provider: string;
  state: string;
  count: number;
  priceMicrodollarsPerHour: number;
  idle: number;
  idleMicrodollarsPerHour: number;
  /** Ending for longer than a human is told of it. */
  lingering: number;
  /** Of the machine that has been in this state for longest. */
  oldestSeconds: number;
}

/** What lives has a partial index: machines that ended are not looked at. */
export async function instanceMetrics(sql: Sql, config: Config): Promise<Metric[]> {
  const [live, [unknown]] = await Promise.all([
    sql<Live[]>`
      select provider, state, count(*)::int as count, sum(price_microdollars_per_hour)::bigint as price_microdollars_per_hour,
        (count(*) filter (where is_idle))::int as idle,
        coalesce(sum(price_microdollars_per_hour) filter (where is_idle), 0)::bigint as idle_microdollars_per_hour,
        (count(*) filter (where terminating_at < now() - make_interval(mins => ${config.AIMA_ALERT_AFTER_MINUTES})))::int as lingering,
        extract(epoch from now() - min(coalesce(terminating_at, doubted_at, requested_at)))::float8 as oldest_seconds
      from (
        select i.*, state = 'ready' and not exists (
          select from jobs j where j.instance_id = i.instance_id and j.state in ('assigned', 'running')) as is_idle
        from instances i where state <> 'terminated'
      ) living
      group by provider, state order by provider, state`,
    sql<{ machines: number }[]>`
      select count(*)::int as machines from alerts where resolved_at is null and key like 'machine:%:not_gone'`,
  ]);
  const of = (state: string) => live.filter((row) => row.state === state);
  const sum = (rows: Live[], key: 'count' | 'lingering') => rows.reduce((total, row) => total + row[key], 0);
  const perProvider = (key: 'priceMicrodollarsPerHour' | 'idleMicrodollarsPerHour' | 'idle', unit: number) =>
    [...Map.groupBy(live, (row) => row.provider)].map(([provider, rows]) => ({
      labels: { provider },
      value: rows.reduce((total, row) => total + row[key], 0) / unit,
    }));
  const oldest = (state: string) => Math.max(0, ...of(state).map((row) => row.oldestSeconds));
  return [
    {
      name: 'aima_instances',
      type: 'gauge',
      help: 'Machines that are not proven gone, by provider and state.',
      samples: live.map(({ provider, state, count }) => ({ labels: { provider, state }, value: count })),
    },
    {
      name: 'aima_instances_price_dollars_per_hour',
      type: 'gauge',
      help: 'What all machines that are not proven gone cost by the hour.',
      samples: perProvider('priceMicrodollarsPerHour', 1e6),
    },
    {
      name: 'aima_instances_idle',
      type: 'gauge',
      help: 'Ready machines that hold no job.',
      samples: perProvider('idle', 1),
    },
    {
      name: 'aima_instances_idle_price_dollars_per_hour',
      type: 'gauge',
      help: 'What ready machines that hold no job cost by the hour.',
      samples: perProvider('idleMicrodollarsPerHour', 1e6),
    },
    {
      name: 'aima_leaks',
      type: 'gauge',
      help: 'Machines that may cost money unseen. lingering: asked to end and not gone for some minutes; unknown: ours by its label, without a lease, and not gone for some minutes; in_doubt: the answer to its create was lost.',
      samples: [
        { labels: { kind: 'lingering' }, value: sum(of('terminating'), 'lingering') },
        { labels: { kind: 'unknown' }, value: unknown!.machines },
        { labels: { kind: 'in_doubt' }, value: sum(of('in_doubt'), 'count') },
      ],
    },
    {
      name: 'aima_ending_age_seconds',
      type: 'gauge',
      help: 'How long the machine that is ending for longest has been ending; 0 where none is.',
      samples: [{ value: oldest('terminating') }],
    },
    {
      name: 'aima_in_doubt_age_seconds',
      type: 'gauge',
      help: 'How long the machine that is in doubt for longest has been in doubt; 0 where none is.',
      samples: [{ value: oldest('in_doubt') }],
    },
  ];
}
