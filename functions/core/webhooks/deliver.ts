/**
 * Tells callback addresses that their jobs are settled: a signed POST (sign.ts) under the same
 * address rules as media URLs, tried until a 2xx, later and later, eight times in about a day.
 *
 * Taking a row schedules its next try, in one statement: of two deliverers only one gets it, and
 * when this process dies in mid-call it is simply tried again. So a receiver may hear a message
 * twice, with the same `webhook-id`.
 */
import type { Core } from '../core.ts';
import { AimaError } from '../errors.ts';
import { addressRules } from '../intake/addresses.ts';
import { send } from '../intake/request.ts';
import { signedHeaders } from './sign.ts';

/** Seconds from each try to the next; after the last there is none. */
const backoffSeconds = [5, 60, 300, 1800, 7200, 21_600, 43_200];
const timeoutMs = 10_000;
const mostAtOnce = 20;

interface Due {
  jobId: string;
  url: string;
  tries: number;
  state: string;
  batchId: string;
  name: string;
  errorCode: string | null;
  errorDetail: string | null;
  costMicrodollars: number;
  settledAt: Date;
}

/** Sends what is due, at most 20 at once, and gives back how many arrived. */
export async function deliverWebhooks(core: Core): Promise<number> {
  const due = await takeDue(core);
  const arrived = await Promise.all(due.map((row) => deliver(core, row)));
  return arrived.filter(Boolean).length;
}

/** A job that a person sent back is told when it has settled again, and not now. */
function takeDue({ sql }: Core): Promise<Due[]> {
  return sql<Due[]>`
    with due as (
      select job_id from webhooks where next_try_at <= now()
      order by next_try_at limit ${mostAtOnce} for update skip locked
    ), taken as (
      update webhooks w set tries = w.tries + 1,
        next_try_at = now() + make_interval(secs => (${backoffSeconds}::int[])[w.tries + 1])
      from due where w.job_id = due.job_id
      returning w.*
    )
    select t.job_id, t.url, t.tries, j.state, j.batch_id, m.name, j.error_code, j.error_detail,
      j.cost_microdollars, j.settled_at
    from taken t join jobs j using (job_id) join media m using (media_id)
    where j.settled_at is not null`;
}

async function deliver(core: Core, due: Due): Promise<boolean> {
  const failure = await post(core, due).catch(reasonOf);
  const isOver = failure === null || failure === gone;
  await core.sql`
    update webhooks set last_error = ${failure},
      delivered_at = case when ${failure === null} then now() end,
      next_try_at = case when not ${isOver} then next_try_at end
    where job_id = ${due.jobId} and tries = ${due.tries}`;
  return failure === null;
}

const gone = 'It answered 410: it wants no more calls.';

/** @returns null where it arrived, else what went wrong, for people. */
async function post(core: Core, due: Due): Promise<string | null> {
  const body = Buffer.from(JSON.stringify(message(due, core.config.AIMA_GATEWAY_URL)));
  const id = `${due.jobId}-${due.settledAt.getTime()}`;
  const signature = signedHeaders(core.config.secret('webhook-secret'), id, new Date(), body);
  const answer = await send(
    due.url,
    {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...signature },
      body,
      maxRedirects: 0,
      signal: AbortSignal.timeout(timeoutMs),
    },
    addressRules(core.config),
  );
  // What it says beside the status is of no use to us.
  answer.destroy();
  const status = answer.statusCode ?? 0;
  if (status >= 200 && status < 300) return null;
  return status === 410 ? gone : `It answered ${status}.`;
}

function message(due: Due, gatewayUrl: string) {
  const self = new URL(`/function/jobs/${due.jobId}`, gatewayUrl).href;
  return {
    type: 'job.settled',
    timestamp: due.settledAt.toISOString(),
    data: {
      jobId: due.jobId,
      batchId: due.batchId,
      name: due.name,
      state: due.state,
      costMicrodollars: due.costMicrodollars,
      ...(due.errorCode ? { error: { code: due.errorCode, detail: due.errorDetail } } : {}),
      links: { self, result: `${self}/result` },
    },
  };
}

function reasonOf(error: unknown): string {
  if (error instanceof AimaError) return error.detail;
  if ((error as Error).name === 'AbortError') return `It did not answer within ${timeoutMs / 1000} s.`;
  return `It could not be reached: ${(error as NodeJS.ErrnoException).code ?? (error as Error).message}.`;
}
