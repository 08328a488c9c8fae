/** Finding jobs and looking at them; and the documents that describe it all. */
import { z } from 'zod';
import { core } from '../core/core.ts';
import { reply } from '../core/http/reply.ts';
import { route } from '../core/http/route.ts';
import { idPattern } from '../core/ids.ts';
import { readEvents } from '../core/jobs/event-log.ts';
import { decodeCursor, listJobs } from '../core/jobs/list.ts';
import { Costs, EventPage, JobId, JobPage, JobView, State } from '../core/jobs/shapes.ts';
import { viewJob } from '../core/jobs/view.ts';
import { readCosts } from '../core/ledger/costs.ts';
import { apiDocument } from '../core/openapi.ts';
import { readResultText } from '../core/results/read.ts';
import { ResultDocument } from '../core/results/schema.ts';

export const JobParams = z.object({ id: JobId });

const limit = z.coerce.number().int().min(1).max(200);
const time = z.iso.datetime({ offset: true }).transform((text) => new Date(text));

const ListQuery = z.object({
  cursor: z
    .string()
    .max(100)
    .transform(decodeCursor)
    .refine((id) => idPattern.test(id), 'is not one that an answer gave')
    .optional()
    .meta({ description: 'nextCursor of the page before' }),
  limit: limit.default(50),
  state: z
    .string()
    .max(200)
    .transform((text) => [...new Set(text.split(','))])
    .pipe(z.array(State))
    .optional()
    .meta({ description: 'One state, or several with commas between' }),
  batchId: JobId.optional(),
  name: z
    .string()
    .min(1)
    .max(200)
    .refine((text) => !text.includes('\0'), 'must not contain the character 0')
    .optional()
    .meta({ description: 'Part of the name of the file' }),
  createdAfter: time.optional().meta({ description: 'At this time or later' }),
  createdBefore: time.optional(),
});

const EventQuery = z.object({
  cursor: z
    .string()
    .regex(/^\d{1,15}$/)
    .default('0')
    .meta({ description: 'nextCursor of the page before, or the eventId of the last event you know' }),
  limit: limit.default(100),
});

const CostsQuery = z.object({
  since: time
    .optional()
    .meta({ description: 'At this time or later; the last 30 days where it is not given' }),
});
const costsMs = 30 * 86_400_000;

export const readRoutes = [
  route('GET', '/', {
    caller: 'user',
    summary: 'List jobs, newest first',
    query: ListQuery,
    responses: { 200: { description: 'A page of jobs', schema: JobPage } },
    handle: ({ caller, query: { cursor, state, ...query } }) =>
      listJobs(core(), caller.userId, { ...query, before: cursor, states: state }),
  }),
  route('GET', '/costs', {
    caller: 'user',
    summary: 'What your jobs cost, by day, provider and phase',
    query: CostsQuery,
    responses: { 200: { description: 'Sums in millionths of a US dollar', schema: Costs } },
    handle: ({ caller, query: { since } }) =>
      readCosts(core().sql, caller.userId, since ?? new Date(Date.now() - costsMs)),
  }),
  route('GET', '/:id', {
    caller: 'user',
    summary: 'One job',
    params: JobParams,
    responses: { 200: { description: 'The job', schema: JobView } },
    errors: ['not_found'],
    handle: ({ caller, params }) => viewJob(core(), caller.userId, params.id),
  }),
  route('GET', '/:id/events', {
    caller: 'user',
    summary: 'What happened to a job, oldest first',
    params: JobParams,
    query: EventQuery,
    responses: { 200: { description: 'A page of events', schema: EventPage } },
    errors: ['not_found'],
    handle: ({ caller, params, query }) =>
      readEvents(core(), caller.userId, params.id, { after: Number(query.cursor), limit: query.limit }),
  }),
  route('GET', '/:id/result', {
    caller: 'user',
    summary: 'The result of a job',
    description: 'Of a job that has not ended what there is by now, as `status: partial`.',
    params: JobParams,
    responses: { 200: { description: 'Everything that was found', schema: ResultDocument } },
    errors: ['not_found'],
    handle: async ({ caller, params }) =>
      reply({
        headers: { 'content-type': 'application/json' },
        body: await readResultText(core(), caller.userId, params.id),
      }),
  }),
  route('GET', '/schema', {
    caller: 'anyone',
    summary: 'The JSON Schema of results',
    responses: { 200: { description: 'JSON Schema 2020-12', contentType: 'application/schema+json' } },
    handle: () =>
      reply({
        headers: { 'content-type': 'application/schema+json' },
        body: z.toJSONSchema(ResultDocument, { io: 'output' }),
      }),
  }),
  route('GET', '/openapi.json', {
    caller: 'anyone',
    summary: 'This description of the interface',
    responses: { 200: { description: 'OpenAPI 3.1', schema: z.record(z.string(), z.unknown()) } },
    handle: () => apiDocument(core().config.AIMA_GATEWAY_URL),
  }),
];
