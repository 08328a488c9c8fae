/** The same load for a bare table, pg-boss and graphile-worker, on the same Postgres from the same process. */
import { Logger, run as runGraphile } from 'graphile-worker';
import { PgBoss } from 'pg-boss';
import postgres from 'postgres';
import { claimers, jobsEach, perSecond } from './rate.ts';

type Address = (database: string) => string;

const jobs = claimers * jobsEach;

/** The least that a claim can be: one indexed row, locked, marked, returned. */
export async function rawClaims(address: Address): Promise<number> {
  await makeDatabase(address, 'raw');
  const sql = postgres(address('raw'), { max: claimers, onnotice: () => {} });
  await sql`create table queue (id bigint primary key, state text not null)`;
  await sql`insert into queue select n, 'queued' from generate_series(1, ${jobs}::integer) n`;
  await sql`create index on queue (id) where state = 'queued'`;
  await sql`vacuum analyze queue`;
  const rate = await perSecond(Array.from({ length: claimers }), async () => {
    const [row] = await sql`
      update queue set state = 'running'
      where id = (select id from queue where state = 'queued' order by id for update skip locked limit 1) returning *`;
    return row !== undefined;
  });
  await sql.end();
  return rate;
}

export async function pgBossClaims(address: Address): Promise<number> {
  await makeDatabase(address, 'pgboss');
  const boss = new PgBoss({
    connectionString: address('pgboss'),
    max: claimers,
    supervise: false,
    schedule: false,
  });
  await boss.start();
  await boss.createQueue('bench');
  for (let n = 0; n < jobs; n += 1000) {
    await boss.insert(
      'bench',
      Array.from({ length: 1000 }, () => ({ data: {} })),
    );
  }
  const rate = await perSecond(
    Array.from({ length: claimers }),
    async () => (await boss.fetch('bench')).length > 0,
  );
  await boss.stop({ graceful: false });
  return rate;
}

/** Claimed and completed, by its runner in the configuration it comes with. */
export async function graphileClaims(address: Address): Promise<number> {
  await makeDatabase(address, 'graphile');
  const connectionString = address('graphile');
  let left = jobs;
  let finished = () => {};
  const done = new Promise<void>((resolve) => {
    finished = resolve;
  });
  const logger = new Logger(() => () => {});
  const migrator = await runGraphile({
    connectionString,
    concurrency: 1,
    taskList: { bench() {} },
    noHandleSignals: true,
    logger,
  });
  await migrator.stop();
  const sql = postgres(connectionString, { max: 1 });
  await sql`select graphile_worker.add_job('bench', '{}') from generate_series(1, ${jobs}::integer)`;
  await sql`vacuum analyze`;
  await sql.end();
  const began = performance.now();
  const runner = await runGraphile({
    connectionString,
    concurrency: claimers,
    maxPoolSize: claimers + 2,
    noHandleSignals: true,
    logger,
    taskList: {
      bench() {
        if (--left === 0) finished();
      },
    },
  });
  await done;
  const rate = jobs / ((performance.now() - began) / 1000);
  await runner.stop();
  return rate;
}

async function makeDatabase(address: Address, name: string): Promise<void> {
  const sql = postgres(address('postgres'), { max: 1 });
  await sql`create database ${sql(name)}`;
  await sql.end();
}
