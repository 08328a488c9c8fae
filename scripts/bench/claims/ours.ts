/** Our queue under the same load: eight leases with their own logins. */
import type { Sql } from '../../../functions/core/database.ts';
import { newId } from '../../../functions/core/ids.ts';
import { scramVerifier } from '../../../functions/core/instances/credentials.ts';
import { openServer, type Server } from '../../../gpu-worker/lease/server.ts';
import { claimers, jobsEach } from './rate.ts';

const owner = '0'.repeat(26);
const finishedJobs = 1_000_000;

export interface Lease {
  instanceId: string;
  server: Server;
}

export async function openLeases(admin: Sql, url: (login: string) => string): Promise<Lease[]> {
  return Promise.all(
    Array.from({ length: claimers }, async () => {
      const instanceId = newId();
      await admin`
        insert into instances (instance_id, label, provider, state, offer, price_microdollars_per_hour, deadline_at)
        values (${instanceId}, ${instanceId}, 'local', 'requested', '{}', 0, now() + interval '1 day')`;
      await admin`select open_worker_login(${instanceId}, ${scramVerifier('bench')}, now() + interval '1 day')`;
      const server = openServer(url(`aima_worker_${instanceId}`), new AbortController().signal);
      await server.hello({ version: 'bench' });
      return { instanceId, server };
    }),
  );
}

/** An assigned job for every claim, and what was there before gone. */
export async function fill(admin: Sql, leases: Lease[]): Promise<void> {
  await admin`delete from jobs where instance_id is not null or state = 'succeeded' and job_id not like '0000000000%'`;
  await withoutTriggers(admin, async () => {
    for (const lease of leases) {
      await insertJobs(admin, lease.instanceId.slice(-10), jobsEach, {
        state: 'assigned',
        instanceId: lease.instanceId,
      });
    }
  });
  await admin`vacuum analyze jobs, job_access`;
}

export async function insertFinished(admin: Sql): Promise<void> {
  await withoutTriggers(admin, () =>
    insertJobs(admin, '0000000000', finishedJobs, { state: 'succeeded', instanceId: null }),
  );
  await admin`vacuum analyze jobs`;
}

export async function removeFinished(admin: Sql): Promise<void> {
  await admin`delete from jobs where job_id like '0000000000%'`;
  await admin`vacuum full analyze jobs`;
}

export async function claim({ server }: Lease): Promise<boolean> {
  return (await server.claim()) !== null;
}

export async function claimAndFinish({ server }: Lease): Promise<boolean> {
  const job = await server.claim();
  if (job) await server.finish(job, {}, {});
  return job !== null;
}

async function insertJobs(
  admin: Sql,
  prefix: string,
  count: number,
  job: { state: string; instanceId: string | null },
) {
  await admin`insert into batches (batch_id, user_id) values (${owner}, ${owner}) on conflict do nothing`;
  await admin`
    insert into media (media_id, user_id, object_key, name)
    select ${prefix} || lpad(n::text, 16, '0'), ${owner}, ${prefix} || n, 'bench' from generate_series(1, ${count}::integer) n
    on conflict do nothing`;
  await admin`
    insert into jobs (job_id, user_id, batch_id, media_id, state, analyses, instance_id, queued_at, finished_at, settled_at)
    select ${prefix} || lpad(n::text, 16, '0'), ${owner}, ${owner}, ${prefix} || lpad(n::text, 16, '0'), ${job.state}, '{metadata}', ${job.instanceId}, now(),
      case when ${job.state} = 'succeeded' then now() end, case when ${job.state} = 'succeeded' then now() end
    from generate_series(1, ${count}::integer) n`;
  await admin`
    insert into job_access (job_id, get_url, post_url, post_fields, result_prefix, expires_at)
    select job_id, 'http://127.0.0.1/', 'http://127.0.0.1/', '{}', 'results/' || job_id || '/', now() from jobs where instance_id is not null
    on conflict do nothing`;
}

/** Rows that only have to be there: no state machine, no log, no references checked. */
async function withoutTriggers(admin: Sql, run: () => Promise<void>): Promise<void> {
  await admin`set session_replication_role = replica`;
  await admin`set statement_timeout = 0`;
  await run();
  await admin`set session_replication_role = default`;
}
