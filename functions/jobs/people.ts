/** The people of one's library: who of one medium is who of another, and what they are called. */
import { z } from 'zod';
import { core } from '../core/core.ts';
import { reply } from '../core/http/reply.ts';
import { route } from '../core/http/route.ts';
import { idPattern } from '../core/ids.ts';
import { decodeCursor, encodeCursor } from '../core/jobs/list.ts';
import { JobId } from '../core/jobs/shapes.ts';
import * as library from '../core/people/library.ts';
import { removePerson } from '../core/people/remove.ts';
import { LibraryPage, LibraryPersonView } from '../core/people/shapes.ts';
import { attachment } from '../core/results/file-name.ts';

const PersonParams = z.object({ id: JobId });
const coverSeconds = 10 * 60;

const ListQuery = z.object({
  hidden: z
    .enum(['true', 'false'])
    .default('false')
    .meta({ description: 'true: those who are hidden as well' }),
  limit: z.coerce.number().int().min(1).max(500).default(100),
  cursor: z
    .string()
    .max(100)
    .transform((cursor) => /^(\d{1,9}) (.+)$/.exec(decodeCursor(cursor)))
    .refine((found) => idPattern.test(found?.[2] ?? ''), 'is not one that an answer gave')
    .transform((found) => ({ media: Number(found![1]), libraryPersonId: found![2]! }))
    .optional()
    .meta({ description: 'nextCursor of the page before' }),
});

const Change = z.strictObject({
  name: z
    .string()
    .max(200)
    .transform(
      (name) =>
        name
          .replace(/\p{Cc}+/gu, ' ')
          .toWellFormed()
          .trim() || null,
    )
    .nullable()
    .optional()
    .meta({ description: 'null: none' }),
  isHidden: z.boolean().optional(),
});

const Merge = z.strictObject({
  libraryPersonId: JobId.meta({ description: 'Who becomes part of this one' }),
});
const Split = z.strictObject({
  jobId: JobId,
  personId: z
    .string()
    .min(1)
    .max(64)
    .regex(/^\P{Cc}+$/u),
});
const Switch = z.strictObject({ isOn: z.boolean() });

const person = { 200: { description: 'The person as it is now', schema: LibraryPersonView } };

export const peopleRoutes = [
  route('GET', '/people', {
    caller: 'user',
    summary: 'People who are seen in your media, in the most first',
    query: ListQuery,
    responses: { 200: { description: 'A page of people', schema: LibraryPage } },
    async handle({ caller, query: { hidden, limit, cursor } }) {
      const options = { withHidden: hidden === 'true', limit, after: cursor ?? null };
      const { next, ...page } = await library.listPeople(core(), caller.userId, options);
      return { ...page, nextCursor: next && encodeCursor(`${next.media} ${next.libraryPersonId}`) };
    },
  }),
  route('PUT', '/people/settings', {
    caller: 'user',
    summary: 'Switch the grouping of people over media on or off',
    description:
      'Off deletes all people of the library at once. The faces of a job stay until the job is deleted.',
    body: Switch,
    responses: { 204: { description: 'Done' } },
    handle: ({ caller, body }) => library.switchPeople(core(), caller.userId, body.isOn),
  }),
  route('GET', '/people/:id', {
    caller: 'user',
    summary: 'A person, and where they are seen',
    params: PersonParams,
    responses: person,
    errors: ['not_found'],
    handle: ({ caller, params }) => library.viewPerson(core(), caller.userId, params.id),
  }),
  route('PATCH', '/people/:id', {
    caller: 'user',
    summary: 'Name a person, or hide one',
    params: PersonParams,
    body: Change,
    responses: person,
    errors: ['not_found'],
    async handle({ caller, params, body }) {
      await library.changePerson(core(), caller.userId, params.id, body);
      return library.viewPerson(core(), caller.userId, params.id);
    },
  }),
  route('POST', '/people/:id/merge', {
    caller: 'user',
    summary: 'Two people are one',
    params: PersonParams,
    body: Merge,
    responses: person,
    errors: ['not_found', 'conflict'],
    async handle({ caller, params, body }) {
      await library.mergePeople(core(), caller.userId, params.id, body.libraryPersonId);
      return library.viewPerson(core(), caller.userId, params.id);
    },
  }),
  route('POST', '/people/:id/split', {
    caller: 'user',
    summary: 'A person of one medium is somebody else',
    params: PersonParams,
    body: Split,
    responses: { 200: { description: 'The person that was split off', schema: LibraryPersonView } },
    errors: ['not_found', 'conflict'],
    async handle({ caller, params, body }) {
      const id = await library.splitPerson(core(), caller.userId, params.id, body);
      return library.viewPerson(core(), caller.userId, id);
    },
  }),
  route('DELETE', '/people/:id', {
    caller: 'user',
    summary: 'Delete a person with all their faces, in every result',
    params: PersonParams,
    responses: { 204: { description: 'Deleted' } },
    errors: ['not_found'],
    handle: ({ caller, params }) => removePerson(core(), caller.userId, params.id),
  }),
  route('GET', '/people/:id/cover', {
    caller: 'user',
    summary: 'The best picture of a person',
    params: PersonParams,
    responses: { 302: { description: `Where it is, for ${coverSeconds / 60} minutes` } },
    errors: ['not_found'],
    async handle({ caller, params }) {
      const key = await library.coverKey(core(), caller.userId, params.id);
      const disposition = attachment(key.split('/').pop()!);
      const location = await core().bucket.presignGet(key, coverSeconds, { disposition });
      return reply({ status: 302, headers: { location } });
    },
  }),
];
