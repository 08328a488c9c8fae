/** What `orchestrate` answers and takes, as schemas. */
import { z } from 'zod';
import type { OpenAlert } from '../core/alerts/alerts.ts';
import { analysisNames, presetNames } from '../core/jobs/analyses.ts';
import { iso, JobId, Quote } from '../core/jobs/shapes.ts';

const microdollars = z.int().meta({ description: 'Millionths of a US dollar' });
const because = z.string().meta({ description: 'The reason, in one line' });
const startInMs = z.number();

const RentedOffer = z
  .object({ provider: z.string(), offerId: z.string(), priceMicrodollarsPerHour: microdollars })
  .loose();

const Action = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('rent'),
    offer: RentedOffer,
    jobs: z.array(z.object({ jobId: JobId, startInMs })),
    expectedMicrodollars: microdollars,
    maxCostMicrodollars: microdollars,
    leaseMs: z.number(),
    because,
  }),
  z.object({ type: z.literal('assign'), instanceId: JobId, jobId: JobId, startInMs, because }),
  z.object({ type: z.literal('drain'), instanceId: JobId, because }),
  z.object({ type: z.literal('ask'), jobId: JobId, microdollars, because }),
  z.object({
    type: z.literal('wait'),
    jobId: JobId,
    why: z.string(),
    startInMs: startInMs.nullable(),
    because,
  }),
]);

const Place = z.object({
  provider: z.string(),
  offerId: z.string(),
  instanceId: JobId.nullable().meta({ description: 'null: it would have to be rented' }),
  gpu: z.string().nullable(),
  region: z.string().nullable(),
  interruptible: z.boolean(),
  priceMicrodollarsPerHour: microdollars,
  expectedMicrodollars: microdollars,
  expectedMinutes: z.number(),
  rejectedBecause: z.string().nullable().meta({ description: 'null: the job may go there' }),
});

const RejectedOffer = z.object({
  provider: z.string(),
  offerId: z.string(),
  gpu: z.string().nullable(),
  region: z.string().nullable(),
  priceMicrodollarsPerHour: microdollars,
  because,
});

export const Plan = z
  .object({
    actions: z.array(Action),
    considered: z
      .object({
        rejectedOffers: z.array(RejectedOffer).meta({ description: 'Those that no job may have' }),
        jobs: z
          .array(z.object({ jobId: JobId, quote: Quote.nullable(), places: z.array(Place) }))
          .meta({ description: 'The first of the queue in their turns, each with the places, best first' }),
      })
      .optional()
      .meta({ description: 'Only of a dry run' }),
  })
  .meta({ id: 'Plan', description: 'What was decided, or would be' });

export const QuoteRequest = z
  .strictObject({
    analyses: z.array(z.enum(analysisNames)).min(1).max(20).optional(),
    preset: z.enum(presetNames).optional(),
    kind: z.enum(['image', 'audio', 'video']),
    durationMs: z
      .int()
      .nonnegative()
      .optional()
      .meta({ description: 'Of sound and films; ten minutes where it is left out' }),
    sizeBytes: z.int().nonnegative().optional(),
    deadlineAt: z.iso.datetime({ offset: true }).optional(),
  })
  .refine(({ analyses, preset }) => !(analyses && preset), 'must have analyses or a preset, not both')
  .meta({
    id: 'QuoteRequest',
    description: 'A medium that is not uploaded yet, and what should be done with it',
  });

export const QuoteAnswer = z.object({
  quote: Quote.nullable().meta({ description: 'null where no machine that may be rented is on offer now' }),
});

export const AlertView = z
  .object({
    alertId: z.int(),
    key: z.string().meta({ description: 'What it is about' }),
    severity: z.enum(['warning', 'critical']),
    text: z.string(),
    data: z.record(z.string(), z.unknown()),
    raisedAt: z.iso.datetime(),
    toldAt: z.iso.datetime().nullable().meta({ description: 'When everybody had been told' }),
  })
  .meta({ id: 'Alert' });

export function viewAlert(alert: OpenAlert): z.infer<typeof AlertView> {
  return { ...alert, raisedAt: iso(alert.raisedAt), toldAt: iso(alert.toldAt) };
}
