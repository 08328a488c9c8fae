/**
 * orchestrate: steps 2 and 3 of a request. Rung when jobs were queued or a worker became ready, and
 * every half minute in case nobody rang: gives queued jobs to instances and rents new ones.
 */
import { z } from 'zod';
import { authenticate } from '../core/auth/caller.ts';
import { core } from '../core/core.ts';
import { defineFunction } from '../core/http/function.ts';
import { route } from '../core/http/route.ts';
import { listInstances } from '../core/instances/list.ts';
import { decide } from '../core/planner/decide.ts';
import { hold } from '../core/planner/hold.ts';
import { sweepJobs } from '../core/sweep.ts';

const Decisions = z.array(
  z.object({ type: z.enum(['rent', 'assign', 'drain', 'wait']), because: z.string() }).loose(),
);

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
      body: z.object({ dryRun: z.boolean().default(false) }).prefault({}),
      responses: { 200: { description: 'What was decided, each with its reason', schema: Decisions } },
      handle: async ({ body }) => (await decide(core(), body)).actions,
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
      responses: { 200: { description: 'Instances, newest first', schema: z.array(z.object({}).loose()) } },
      handle: () => listInstances(core()),
    }),
  ],
});
