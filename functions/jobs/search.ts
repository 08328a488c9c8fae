/** Searching through what all of one's jobs have found. */
import { z } from 'zod';
import { core } from '../core/core.ts';
import { route } from '../core/http/route.ts';
import { idPattern } from '../core/ids.ts';
import { decodeCursor, encodeCursor } from '../core/jobs/list.ts';
import { JobId } from '../core/jobs/shapes.ts';
import { type HitKind, hitKinds, type Place, searchLibrary } from '../core/results/search.ts';

const Cursor = z.tuple([
  z.number(),
  z.string().regex(idPattern),
  z.int().nonnegative().max(2_147_483_647),
  z.enum(hitKinds),
  z.string().max(200),
]);

const SearchQuery = z.object({
  q: z
    .string()
    .min(1)
    .max(500)
    .meta({ description: 'Words; "in quotes" they follow each other; -word must not be there' }),
  kind: z
    .string()
    .max(100)
    .transform((text) => [...new Set(text.split(','))])
    .pipe(z.array(z.enum(hitKinds)))
    .optional()
    .meta({ description: 'speech, text, name, or several with commas between; all where it is left out' }),
  limit: z.coerce.number().int().min(1).max(100).default(20),
  cursor: z
    .string()
    .max(500)
    .transform((cursor, context): Place => {
      const place = Cursor.safeParse(parseOrNull(decodeCursor(cursor))).data;
      if (!place || place[4].includes('\0')) {
        context.addIssue({ code: 'custom', message: 'is not one that an answer gave' });
        return z.NEVER;
      }
      const [best, jobId, startMs, kind, entry] = place;
      return { best, jobId, startMs, kind, entry };
    })
    .optional()
    .meta({ description: 'nextCursor of the page before' }),
});

const SearchHit = z
  .object({
    jobId: JobId,
    name: z.string().meta({ description: 'Of the file' }),
    mediumKind: z.enum(['image', 'audio', 'video']).nullable(),
    kind: z.enum(hitKinds),
    startMs: z.int().meta({ description: 'Of the first word that fits: the moment to jump to' }),
    endMs: z.int(),
    snippet: z.string().meta({ description: 'Plain text, with … where it was cut' }),
    marks: z
      .array(z.object({ from: z.int(), to: z.int() }))
      .meta({ description: 'Words of the snippet that fit: [from, to) in UTF-16 code units' }),
    rank: z.number(),
  })
  .meta({ id: 'SearchHit' });

const SearchAnswer = z
  .object({
    hits: z.array(SearchHit).meta({ description: 'Medium by medium, the best first; within one by time' }),
    isCut: z.boolean().meta({ description: 'There is more than was looked at, which were the newest jobs' }),
    nextCursor: z.string().nullable(),
  })
  .meta({ id: 'SearchAnswer' });

export const searchRoutes = [
  route('GET', '/search', {
    caller: 'user',
    summary: 'Search through what was said, what could be read, and the names of files',
    query: SearchQuery,
    responses: { 200: { description: 'A page of hits', schema: SearchAnswer } },
    async handle({ caller, query: { q, kind, limit, cursor } }) {
      const kinds: HitKind[] | null = kind ?? null;
      const page = await searchLibrary(core(), caller.userId, q, { kinds, limit, after: cursor ?? null });
      return {
        hits: page.hits.map(({ text, ...hit }) => ({ ...hit, snippet: text })),
        isCut: page.isCut,
        nextCursor: page.next && cursorOf(page.next),
      };
    },
  }),
];

function cursorOf({ best, jobId, startMs, kind, entry }: Place): string {
  return encodeCursor(JSON.stringify([best, jobId, startMs, kind, entry]));
}

function parseOrNull(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
