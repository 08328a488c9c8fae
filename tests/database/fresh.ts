/** A migrated database of its own for a test file. */
import { randomBytes } from 'node:crypto';
import { inject } from 'vitest';
import { connect, type Sql } from '../../functions/core/database.ts';
import { newId } from '../../functions/core/ids.ts';
import { resultPrefix } from '../../functions/core/storage/prefix.ts';
import { migrate } from '../../infra/postgres/migrate.ts';

/** What `aima_functions` logs in with, in every database of the run: roles belong to the whole server. */
export const functionsPassword = 'functions-test';

export interface FreshDatabase {
  /** As the superuser: sees and may do everything. */
  admin: Sql;
  /** As the server's functions. */
  functions: Sql;
  /** Its address for a login. */
  url(user: string, password: string): string;
  close(): Promise<void>;
}

export async function freshDatabase(): Promise<FreshDatabase> {
  const superuserUrl = inject('postgresUrl');
  const database = `test_${randomBytes(6).toString('hex')}`;
  await migrate({ superuserUrl, functionsPassword, database });
  const url = (user: string, password: string) => {
    const address = new URL(superuserUrl);
    [address.username, address.password, address.pathname] = [user, password, `/${database}`];
    return address.href;
  };
  const administrator = new URL(superuserUrl);
  const admin = connect(url(administrator.username, decodeURIComponent(administrator.password)), { max: 4 });
  const functions = connect(url('aima_functions', functionsPassword), { max: 4 });
  return {
    admin,
    functions,
    url,
    async close() {
      await Promise.all([admin.end(), functions.end()]);
    },
  };
}

const owner = '0'.repeat(26);

/** A job with its medium, as it is after an upload. */
export async function insertJob(
  sql: Sql,
  job: Partial<{ state: string; analyses: string[]; maxAttempts: number; priority: number }> = {},
): Promise<string> {
  const jobId = newId();
  const state = job.state ?? 'queued';
  await sql.begin(async (tx) => {
    await tx`insert into batches (batch_id, user_id) values (${jobId}, ${owner})`;
    await tx`insert into media (media_id, user_id, object_key, name, kind, duration_ms)
             values (${jobId}, ${owner}, ${`uploads/${jobId}/a.wav`}, 'a.wav', 'audio', 60000)`;
    await tx`insert into jobs (job_id, user_id, batch_id, media_id, state, analyses, max_attempts, priority)
             values (${jobId}, ${owner}, ${jobId}, ${jobId}, ${state}, ${job.analyses ?? ['transcribe', 'scenes', 'ocr', 'objects', 'faces']},
                     ${job.maxAttempts ?? 3}, ${job.priority ?? 0})`;
  });
  return jobId;
}

/** An instance that waits for its worker. */
export async function insertInstance(sql: Sql, state = 'booting'): Promise<string> {
  const instanceId = newId();
  await sql`insert into instances (instance_id, label, provider, state, offer, price_microdollars_per_hour, deadline_at)
            values (${instanceId}, ${`aima-testing-${instanceId}`}, 'local', 'requested', '{"speed": 1, "bootMs": 1000}', 360000, now() + interval '1 hour')`;
  if (state !== 'requested')
    await sql`update instances set state = ${state} where instance_id = ${instanceId}`;
  return instanceId;
}

/** What the planner does: gives a job to an instance. */
export async function assignJob(sql: Sql, jobId: string, instanceId: string): Promise<void> {
  await sql`insert into job_access (job_id, get_url, post_url, post_fields, result_prefix, expires_at)
            values (${jobId}, 'http://127.0.0.1/get', 'http://127.0.0.1/post', '{}', ${resultPrefix(jobId)}, now() + interval '1 hour')
            on conflict do nothing`;
  await sql`update jobs set state = 'assigned', instance_id = ${instanceId} where job_id = ${jobId}`;
}
