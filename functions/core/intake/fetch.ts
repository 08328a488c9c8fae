/**
 * Fetching a medium from an https address into the bucket.
 *
 * A function answers within seconds and may not go on after its answer, so a fetch is a chain of
 * steps of some twenty seconds. Each goes on where the last one ended, by a range request, and
 * fills parts of one multipart upload; how far it has come is in Postgres. The end of a step rings
 * for whichever step has been due for longest; when that bell is lost or the step dies, the sweep
 * finds it.
 *
 * `next_look_at` is when the next step is due: taking a step moves it behind the longest a step may
 * last, so that two never run side by side. `looks` counts steps and fences what they write.
 */
import type { Core } from '../core.ts';
import { AimaError } from '../errors.ts';
import { settleJobs } from '../jobs/settle.ts';
import { mediaArrived } from '../submit/arrival.ts';
import { type FetchState, Transfer } from './transfer.ts';

const defaultStepMs = 20_000;
const leaseSeconds = 60;
/** Steps in a row that brought nothing. */
const mostFailures = 5;
/** Our own object store is away: no fault of the address. */
const storagePauseSeconds = 30;

interface Step {
  jobId: string;
  mediaId: string;
  objectKey: string;
  contentType: string | null;
  sourceUrl: string;
  uploadId: string | null;
  fetchState: FetchState | null;
  looks: number;
}

/** Steps of this process at the same time: each holds a part in memory, and uploads shall not wait behind them. */
const mostAtOnce = 2;
let running = 0;

/**
 * One step for the medium of a job. Nothing happens where none is due, where another is under way,
 * or where this process has enough to do: then the end of what it does rings again.
 */
export async function fetchStep(core: Core, jobId: string, stepMs = defaultStepMs): Promise<void> {
  if (running >= mostAtOnce) return;
  running += 1;
  try {
    const step = await takeStep(core, jobId);
    if (step) await carryOut(core, step, stepMs);
    else return;
  } finally {
    running -= 1;
  }
  await ringForNext(core);
}

async function carryOut(core: Core, step: Step, stepMs: number): Promise<void> {
  // An earlier step may have ended between the last byte and telling of it.
  if (step.looks > 1 && (await mediaArrived(core, { key: step.objectKey })) !== 'missing') return;
  const state: FetchState = step.fetchState ?? { parts: [], offset: 0, validator: null, failures: 0 };
  const before = state.offset;
  const transfer = new Transfer(core, step, state);
  try {
    const isWhole = await transfer.run(stepMs);
    state.failures = 0;
    if (isWhole) await mediaArrived(core, { key: step.objectKey });
    else await putOff(core, step, transfer.uploadId, state, 0);
  } catch (error) {
    if (error instanceof AimaError && error.code === 'storage_unavailable') {
      return putOff(core, step, transfer.uploadId, state, storagePauseSeconds);
    }
    if (error instanceof AimaError) return giveUp(core, step, transfer.uploadId, error);
    state.failures = state.offset > before ? 0 : state.failures + 1;
    if (state.failures >= mostFailures) {
      return giveUp(core, step, transfer.uploadId, new AimaError('url_fetch_failed', reasonOf(error)));
    }
    await putOff(core, step, transfer.uploadId, state, 2 ** state.failures);
  }
}

async function ringForNext({ sql, publisher }: Core): Promise<void> {
  const [next] = await sql<{ jobId: string }[]>`
    select j.job_id from media m join jobs j using (media_id)
    where m.next_look_at <= now() and m.source_url is not null and j.state = 'awaiting_upload'
    order by m.next_look_at limit 1`;
  if (next) publisher.mediaRequested([next.jobId]);
}

async function takeStep({ sql }: Core, jobId: string): Promise<Step | null> {
  const [step] = await sql<Step[]>`
    update media m set looks = looks + 1, next_look_at = now() + make_interval(secs => ${leaseSeconds})
    from jobs j
    where j.job_id = ${jobId} and j.media_id = m.media_id and j.state = 'awaiting_upload'
      and m.source_url is not null and m.deleted_at is null and m.next_look_at <= now()
    returning j.job_id, m.media_id, m.object_key, m.content_type, m.source_url, m.upload_id, m.fetch_state, m.looks`;
  return step ?? null;
}

async function putOff(core: Core, step: Step, uploadId: string | null, state: FetchState, seconds: number) {
  await core.sql`
    update media set upload_id = ${uploadId}, fetch_state = ${core.sql.json(state as never)},
      next_look_at = now() + make_interval(secs => ${seconds})
    where media_id = ${step.mediaId} and looks = ${step.looks} and deleted_at is null`;
}

async function giveUp(
  core: Core,
  step: Step,
  uploadId: string | null,
  { code, detail }: AimaError,
): Promise<void> {
  if (uploadId) await core.bucket.abortMultipart(step.objectKey, uploadId);
  await core.sql`
    with medium as (
      update media set next_look_at = null, upload_id = null, fetch_state = null
      where media_id = ${step.mediaId} and looks = ${step.looks}
      returning media_id
    )
    update jobs j set state = 'failed', error_code = ${code}, error_detail = ${detail}
    from medium m where j.media_id = m.media_id and j.state = 'awaiting_upload'`;
  await settleJobs(core, { jobId: step.jobId });
}

function reasonOf(error: unknown): string {
  const { name, code, message } = error as NodeJS.ErrnoException;
  if (name === 'TimeoutError' || name === 'AbortError') return 'The address sends too slowly.';
  if (code === 'ENOTFOUND') return 'The address names a host that does not exist.';
  return code ? `The address cannot be reached: ${code}.` : message;
}
