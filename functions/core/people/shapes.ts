/** People of a library as their owner sees them. */
import { z } from 'zod';
import { JobId } from '../jobs/shapes.ts';

export const LibraryPerson = z
  .object({
    libraryPersonId: JobId,
    name: z.string().nullable().meta({ description: 'Given by hand; null where nobody has' }),
    isHidden: z.boolean(),
    media: z.int().meta({ description: 'In how many they are seen' }),
    createdAt: z.iso.datetime(),
    links: z.object({ self: z.string(), cover: z.string().nullable() }),
  })
  .meta({ id: 'LibraryPerson', description: 'Somebody who is seen in one medium or several' });

export const LibraryPersonView = LibraryPerson.extend({
  seen: z
    .array(
      z.object({
        jobId: JobId,
        personId: z.string().meta({ description: 'In the result of that job' }),
        name: z.string().meta({ description: 'Of the file' }),
      }),
    )
    .meta({ description: 'Newest first' }),
}).meta({ id: 'LibraryPersonView' });

export const LibraryPage = z
  .object({
    isOn: z.boolean().meta({ description: 'Whether people are grouped over media' }),
    people: z.array(LibraryPerson),
    nextCursor: z.string().nullable(),
  })
  .meta({ id: 'LibraryPage' });

export type LibraryPerson = z.infer<typeof LibraryPerson>;
export type LibraryPersonView = z.infer<typeof LibraryPersonView>;
