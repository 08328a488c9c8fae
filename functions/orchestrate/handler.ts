/**
 * orchestrate: steps 2 and 3 of a request. Rung when jobs were queued or a worker became ready, and
 * every half minute in case nobody rang: gives queued jobs to instances and rents new ones.
 */
import { z } from 'zod';
import { openAlerts } from '../core/alerts/alerts.ts';
import { authenticate } from '../core/auth/caller.ts';
import { core } from '../core/core.ts';
import { defineFunction } from '../core/http/function.ts';
import { route } from '../core/http/route.ts';
import { InstanceView, listInstances } from '../core/instances/list.ts';
import { decide, dryRun, quoteNow } from '../core/planner/decide.ts';
import { hold } from '../core/planner/hold.ts';
import { analysesOf } from '../core/submit/request.ts';
import { sweepJobs } from '../core/sweep.ts';
import { AlertView, Plan, QuoteAnswer, QuoteRequest, viewAlert } from './shapes.ts';

export default defineFunction({
  name: 'orchestrate',
  authenticate,
  routes: [
    route('POST', '/', {
      caller: 'connector',
      summary: 'Look at the queue (an event), or sweep (the schedule)',
      responses: { 204: { description: 'Looked' } },
      async handle({ headers }) {
        if (headers['x-topic'] === 'cron-function') await sweepJobs(core());
        else await decide(core());
      },
    }),
    route('POST', '/', {
      caller: 'user',
      summary: 'Plan now, or only tell what would be done',
      description:
        'A dry run writes nothing, and tells beside the decisions every place that was considered for a job, with money and time, and why each that was rejected was.',
      // Strict: a dry run that is misspelt must not rent.
      body: z.strictObject({ dryRun: z.boolean().default(false) }).prefault({}),
      responses: { 200: { description: 'What was decided, each with its reason', schema: Plan } },
      async handle({ body }) {
        if (body.dryRun) return dryRun(core());
        const { actions } = await decide(core());
        return { actions };
      },
    }),
    route('POST', '/quote', {
      caller: 'user',
      summary: 'What a job would cost and how long it would take, before anything is uploaded',
      body: QuoteRequest,
      responses: { 200: { description: 'The quote', schema: QuoteAnswer } },
      async handle({ body: { kind, durationMs = null, sizeBytes = null, deadlineAt, ...wanted } }) {
        const work = { analyses: analysesOf(wanted), kind, durationMs, sizeBytes };
        const deadlineAtMs = deadlineAt ? Date.parse(deadlineAt) : null;
        return { quote: await quoteNow(core(), { ...work, deadlineAtMs }) };
      },
    }),
    route('POST', '/hold', {
      caller: 'user',
      summary: 'Hold the queue: nothing is rented and no job begins until it is released',
      responses: { 204: { description: 'Held; what runs goes on' } },
      handle: () => hold(core().sql, true),
    }),
    route('POST', '/release', {
      caller: 'user',
      summary: 'Let a held queue go on',
      responses: { 204: { description: 'Goes on at once' } },
      async handle() {
        await hold(core().sql, false);
        core().publisher.jobsQueued([]);
      },
    }),
    route('GET', '/', {
      caller: 'user',
      summary: 'The instances that live now and those that ended last',
      responses: { 200: { description: 'Instances, newest first', schema: z.array(InstanceView) } },
      handle: () => listInstances(core()),
    }),
    route('GET', '/alerts', {
      caller: 'user',
      summary:
        'What a person should see to: machines that do not go, keys that are not taken, budgets used up',
      responses: { 200: { description: 'What is wrong now, the worst first', schema: z.array(AlertView) } },
      handle: async () => (await openAlerts(core().sql)).map(viewAlert),
    }),
  ],
});
