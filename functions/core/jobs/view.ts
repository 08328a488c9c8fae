/** One job, with all that its owner may know of it. */
import type { Core } from '../core.ts';
import { AimaError } from '../errors.ts';
import { readJobWaste } from '../ledger/waste.ts';
import { queuePlace } from './queue-place.ts';
import { describeError, iso, type JobView, linkOf } from './shapes.ts';
import type { JobState } from './states.ts';

interface Row {
  jobId: string;
  batchId: string;
  state: JobState;
  progress: number;
  analyses: string[];
  options: Record<string, unknown>;
  priority: number;
  maxCostMicrodollars: number | null;
  callbackUrl: string | null;
  instanceId: string | null;
  attempt: number;
  maxAttempts: number;
  errorCode: string | null;
  errorDetail: string | null;
  costMicrodollars: number;
  createdAt: Date;
  queuedAt: Date | null;
  notBeforeAt: Date | null;
  deadlineAt: Date | null;
  quote: JobView['quote'];
  expectedStartAt: Date | null;
  assignedAt: Date | null;
  startedAt: Date | null;
  finishedAt: Date | null;
  settledAt: Date | null;
  name: string;
  kind: JobView['kind'];
  durationMs: number | null;
  contentType: string | null;
  sizeBytes: number | null;
  width: number | null;
  height: number | null;
  uploadedAt: Date | null;
  mediumDeletedAt: Date | null;
}

interface AttemptRow {
  attempt: number;
  instanceId: string;
  startedAt: Date;
  endedAt: Date | null;
  outcome: JobView['attempts'][number]['outcome'];
  errorCode: string | null;
  errorDetail: string | null;
  costMicrodollars: number;
}

/** @throws AimaError `not_found` where there is none of this user's. */
export async function viewJob(core: Pick<Core, 'sql'>, userId: string, jobId: string): Promise<JobView> {
  const [job] = await core.sql<Row[]>`
    select j.*, case when state = 'split' then pieces_progress(job_id) else progress end as progress,
      job_cost(job_id) as cost_microdollars, m.name, m.kind, m.duration_ms, m.content_type, m.size_bytes,
      m.width, m.height, m.uploaded_at, m.deleted_at as medium_deleted_at
    from jobs j join media m using (media_id) where j.job_id = ${jobId} and j.user_id = ${userId}`;
  if (!job) throw new AimaError('not_found', `There is no job ${jobId}.`);
  const [attempts, place, charges] = await Promise.all([
    attemptsOf(core, jobId),
    queuePlace(core, job),
    readJobWaste(core.sql, jobId),
  ]);
  return {
    jobId,
    batchId: job.batchId,
    name: job.name,
    kind: job.kind,
    durationMs: job.durationMs,
    state: job.state,
    progress: job.progress,
    analyses: job.analyses,
    error: describeError(job.errorCode, job.errorDetail),
    costMicrodollars: job.costMicrodollars,
    createdAt: iso(job.createdAt),
    startedAt: iso(job.startedAt),
    finishedAt: iso(job.finishedAt),
    options: job.options,
    priority: job.priority,
    maxCostMicrodollars: job.maxCostMicrodollars,
    callbackUrl: job.callbackUrl,
    medium: {
      contentType: job.contentType,
      sizeBytes: job.sizeBytes,
      width: job.width,
      height: job.height,
      uploadedAt: iso(job.uploadedAt),
    },
    deadlineAt: iso(job.deadlineAt),
    quote: job.quote,
    queue: place,
    instanceId: job.instanceId,
    attempt: job.attempt,
    maxAttempts: job.maxAttempts,
    attempts,
    charges,
    queuedAt: iso(job.queuedAt),
    assignedAt: iso(job.assignedAt),
    settledAt: iso(job.settledAt),
    links: {
      self: linkOf(jobId),
      result: linkOf(jobId, '/result'),
      events: linkOf(jobId, '/events'),
      batch: `/function/jobs?batchId=${job.batchId}`,
      medium: job.uploadedAt && !job.mediumDeletedAt ? linkOf(jobId, '/medium') : null,
    },
  };
}

async function attemptsOf({ sql }: Pick<Core, 'sql'>, jobId: string): Promise<JobView['attempts']> {
  const rows = await sql<AttemptRow[]>`
    select attempt, instance_id, started_at, ended_at, outcome, error_code, error_detail,
      attempt_cost(a) as cost_microdollars
    from attempts a where job_id = ${jobId} order by attempt`;
  return rows.map(({ errorCode, errorDetail, ...attempt }) => ({
    ...attempt,
    startedAt: iso(attempt.startedAt),
    endedAt: iso(attempt.endedAt),
    error: errorCode === null ? null : { code: errorCode, detail: errorDetail },
  }));
}
