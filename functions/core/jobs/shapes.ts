/** Jobs as their owners see them: what `jobs` answers, and its schemas. */
import { z } from 'zod';
import { ERRORS, type ErrorCode } from '../errors.ts';
import { idPattern } from '../ids.ts';
import { phases } from '../ledger/bill.ts';
import { type JobState, jobStates } from './states.ts';

export const JobId = z.string().regex(idPattern);
export const State = z.enum(jobStates as [JobState, ...JobState[]]);

const at = z.iso.datetime();
const microdollars = z.int().meta({ description: 'Millionths of a US dollar' });

export const JobError = z
  .object({
    code: z.string().meta({ description: 'What programs should look at' }),
    detail: z.string().nullable().meta({ description: 'A sentence about this very case' }),
    title: z.string(),
    advice: z.string().meta({ description: 'What a person can do' }),
    retry: z.enum(['never', 'later', 'now']),
  })
  .meta({ id: 'JobError' });

const summary = {
  jobId: JobId,
  batchId: JobId,
  name: z.string().meta({ description: 'Of the file, as it was called when it was submitted' }),
  kind: z.enum(['image', 'audio', 'video']).nullable(),
  durationMs: z.int().nullable(),
  state: State,
  progress: z.number().min(0).max(1),
  analyses: z.array(z.string()),
  error: JobError.nullable(),
  costMicrodollars: microdollars,
  createdAt: at,
  startedAt: at.nullable(),
  finishedAt: at.nullable(),
};

export const JobSummary = z
  .object({ ...summary, links: z.object({ self: z.string() }) })
  .meta({ id: 'JobSummary', description: 'A job in a list' });

export const JobPage = z
  .object({
    jobs: z.array(JobSummary),
    nextCursor: z.string().nullable().meta({
      description: 'Give it as `cursor` to go on; null at the end. A page may be short of `limit`.',
    }),
  })
  .meta({ id: 'JobPage' });

const Attempt = z.object({
  attempt: z.int(),
  instanceId: JobId,
  startedAt: at,
  endedAt: at.nullable(),
  outcome: z.enum(['succeeded', 'failed', 'canceled', 'lost']).nullable(),
  error: z.object({ code: z.string(), detail: z.string().nullable() }).nullable(),
  costMicrodollars: microdollars,
});

const phaseSums = z.array(
  z.object({
    phase: z.enum(phases),
    durationMs: z.int().nonnegative(),
    microdollars: microdollars.nonnegative(),
  }),
);

const wasteShare = z
  .number()
  .min(0)
  .max(1)
  .nullable()
  .meta({ description: '1 − work ÷ billed: the share of the money that bought no work' });

export const Charges = z.object({ phases: phaseSums, microdollars, wasteShare }).meta({
  id: 'Charges',
  description: 'What was charged for it, phase by phase, on machines that are gone',
});

export const Costs = z
  .object({
    since: at,
    microdollars,
    accruedMicrodollars: microdollars.meta({
      description: 'Of machines that are not gone yet, by now: in none of the other sums',
    }),
    days: z.array(z.object({ day: z.iso.date(), microdollars })).meta({
      description: 'By the day, in UTC, on which the machine was gone',
    }),
    providers: z.array(z.object({ provider: z.string(), instances: z.int(), microdollars })),
    waste: z.object({ phases: phaseSums, wasteShare }),
    estimates: z
      .object({
        jobs: z.int(),
        expectedMicrodollars: microdollars,
        actualMicrodollars: microdollars,
        medianError: z.number().nullable(),
        p90Error: z.number().nullable(),
      })
      .meta({
        description: 'Of jobs that succeeded since then and had a quote; errors as shares of the actual cost',
      }),
  })
  .meta({ id: 'Costs', description: 'What your jobs cost' });

export const Quote = z
  .object({
    minMicrodollars: microdollars.meta({ description: 'On the cheapest machine, if one is warm already' }),
    maxMicrodollars: microdollars.meta({ description: 'On a machine rented for it alone, in a slow run' }),
    expectedMicrodollars: microdollars.meta({ description: 'On a machine rented for it alone' }),
    minMinutes: z.number(),
    maxMinutes: z.number(),
    expectedMinutes: z.number(),
    offersConsidered: z.int(),
    basedOn: z.object({ runs: z.int().meta({ description: 'Of the same analyses on such a machine' }) }),
    because: z.string(),
  })
  .meta({ id: 'Quote', description: 'What a job should cost and how long it should take, told beforehand' });

const QueuePlace = z.object({
  position: z.int().min(1).nullable().meta({
    description:
      'Queued: whose turn it is among all queued jobs. Assigned: on its instance. null while it awaits confirmation.',
  }),
  notBeforeAt: at.nullable().meta({ description: 'After a failed attempt: no new one before' }),
  expectedStartAt: at.nullable().meta({
    description: 'As the planner saw it last; null where it cannot be told, or should have been by now',
  }),
  reason: z.string().nullable().meta({ description: 'What the planner last said of the job' }),
});

export const JobView = z
  .object({
    ...summary,
    options: z.record(z.string(), z.unknown()),
    priority: z.int(),
    maxCostMicrodollars: microdollars.nullable(),
    callbackUrl: z.string().nullable(),
    medium: z.object({
      contentType: z.string().nullable(),
      sizeBytes: z.int().nullable(),
      width: z.int().nullable(),
      height: z.int().nullable(),
      uploadedAt: at.nullable(),
    }),
    deadlineAt: at.nullable().meta({ description: 'When its result is wanted' }),
    quote: Quote.nullable().meta({ description: 'null until it was queued while there were offers' }),
    queue: QueuePlace.nullable().meta({
      description: 'Only while queued, assigned or awaiting confirmation',
    }),
    instanceId: JobId.nullable(),
    attempt: z.int(),
    maxAttempts: z.int(),
    attempts: z.array(Attempt),
    charges: Charges.nullable().meta({ description: 'null until the first of its machines is gone' }),
    queuedAt: at.nullable(),
    assignedAt: at.nullable(),
    settledAt: at.nullable(),
    links: z.object({
      self: z.string(),
      result: z.string(),
      events: z.string(),
      batch: z.string(),
      medium: z.string().nullable(),
    }),
  })
  .meta({ id: 'Job' });

export const JobEvent = z
  .object({
    eventId: z.int(),
    at,
    type: z.string().meta({ description: 'Such as job.queued or plan.wait' }),
    instanceId: JobId.nullable(),
    data: z.record(z.string(), z.unknown()),
  })
  .meta({ id: 'JobEvent' });

export const EventPage = z
  .object({
    events: z.array(JobEvent),
    nextCursor: z.string().nullable().meta({ description: 'null where there are no more by now' }),
  })
  .meta({ id: 'JobEventPage' });

export type JobError = z.infer<typeof JobError>;
export type JobSummary = z.infer<typeof JobSummary>;
export type JobPage = z.infer<typeof JobPage>;
export type JobView = z.infer<typeof JobView>;
export type EventPage = z.infer<typeof EventPage>;

/** An error as it is kept with a job, with the sentences of the table. Workers may use codes that it lacks. */
export function describeError(code: string | null, detail: string | null): JobError | null {
  if (code === null) return null;
  const { title, advice, retry } = ERRORS[Object.hasOwn(ERRORS, code) ? (code as ErrorCode) : 'internal'];
  return { code, detail, title, advice, retry };
}

export function linkOf(jobId: string, rest = ''): string {
  return `/function/jobs/${jobId}${rest}`;
}

export function iso(time: Date): string;
export function iso(time: Date | null): string | null;
export function iso(time: Date | null): string | null {
  return time?.toISOString() ?? null;
}
