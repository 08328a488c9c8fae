/** What people do to jobs. */
import { z } from 'zod';
import { core } from '../core/core.ts';
import { route } from '../core/http/route.ts';
import { cancelJob } from '../core/jobs/cancel.ts';
import { removeJob } from '../core/jobs/remove.ts';
import { confirmJob, retryJob } from '../core/jobs/retry.ts';
import { JobView } from '../core/jobs/shapes.ts';
import { viewJob } from '../core/jobs/view.ts';
import { JobParams } from './read.ts';

const RetryRequest = z
  .strictObject({
    fromScratch: z
      .boolean()
      .default(false)
      .meta({ description: 'Forget what earlier attempts saved instead of going on after it' }),
    maxCostMicrodollars: z
      .int()
      .positive()
      .optional()
      .meta({ description: 'From now on it may cost so much, with what it has cost already' }),
  })
  .prefault({});

const job = { 200: { description: 'The job as it is now', schema: JobView } };

export const controlRoutes = [
  route('POST', '/:id/cancel', {
    caller: 'user',
    summary: 'Cancel a job; what was found so far stays',
    params: JobParams,
    responses: job,
    errors: ['not_found', 'wrong_state'],
    async handle({ caller, params }) {
      await cancelJob(core(), caller.userId, params.id);
      return viewJob(core(), caller.userId, params.id);
    },
  }),
  route('POST', '/:id/retry', {
    caller: 'user',
    summary: 'Send a failed or canceled job back to the queue',
    params: JobParams,
    body: RetryRequest,
    responses: job,
    errors: ['not_found', 'wrong_state', 'budget_exceeded', 'storage_unavailable'],
    async handle({ caller, params, body }) {
      await retryJob(core(), caller.userId, params.id, body);
      return viewJob(core(), caller.userId, params.id);
    },
  }),
  route('POST', '/:id/confirm', {
    caller: 'user',
    summary: 'Let a job go on that costs more than may be spent unasked',
    params: JobParams,
    responses: job,
    errors: ['not_found', 'wrong_state'],
    async handle({ caller, params }) {
      await confirmJob(core(), caller.userId, params.id);
      return viewJob(core(), caller.userId, params.id);
    },
  }),
  route('DELETE', '/:id', {
    caller: 'user',
    summary: 'Delete a job with its results, and its file unless another job uses it',
    params: JobParams,
    responses: { 204: { description: 'Deleted; a running job was canceled first' } },
    errors: ['not_found'],
    handle: ({ caller, params }) => removeJob(core(), caller.userId, params.id),
  }),
];
