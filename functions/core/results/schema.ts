/**
 * The document of a job: everything that was found, on one time axis. This is what is published as
 * JSON Schema (`GET /function/jobs/schema`) and versioned by `schema`.
 *
 * In every list null means "not asked for or not run" and [] "run, and nothing found".
 */
import { z } from 'zod';
import { Box, Point, Word } from './rows.ts';
import { RunReport } from './run.ts';

const ms = z.int().nonnegative();
const confidence = z.number().min(0).max(1).nullable();

export const ResultDocument = z
  .object({
    schema: z.literal('aima/result/1'),
    jobId: z.string(),
    /** `partial` where the job did not succeed or an analysis failed: what is here is right, but not all. */
    status: z.enum(['complete', 'partial']),
    state: z.string(),
    error: z.object({ code: z.string(), detail: z.string().nullable() }).nullable(),
    medium: z.object({
      name: z.string(),
      contentType: z.string().nullable(),
      sizeBytes: z.number().nullable(),
      kind: z.enum(['image', 'audio', 'video']).nullable(),
      durationMs: ms.nullable(),
      width: z.int().nullable(),
      height: z.int().nullable(),
    }),
    run: RunReport.nullable(),
    /** What a reader should know of the quality of what follows. */
    notes: z.array(z.string()),
    transcript: z
      .object({
        status: z.string(),
        language: z.string().nullable(),
        segments: z.array(
          z.object({
            startMs: ms,
            endMs: ms,
            text: z.string(),
            language: z.string(),
            confidence,
            speakerId: z.string().nullable(),
            words: z.array(Word),
          }),
        ),
      })
      .nullable(),
    texts: z
      .array(
        z.object({
          textId: z.string(),
          text: z.string(),
          confidence,
          instances: z.array(z.object({ startMs: ms, endMs: ms, quad: z.array(Point).length(4) })),
        }),
      )
      .nullable(),
    scenes: z
      .array(
        z.object({
          sceneId: z.string(),
          startMs: ms,
          endMs: ms,
          score: confidence,
          keyframeMs: ms,
          thumbnail: z.string().nullable(),
        }),
      )
      .nullable(),
    objects: z
      .array(
        z.object({
          trackId: z.string(),
          label: z.string(),
          startMs: ms,
          endMs: ms,
          confidence,
          samples: z.array(z.object({ tMs: ms, box: Box, confidence })),
        }),
      )
      .nullable(),
    faces: z
      .array(
        z.object({
          trackId: z.string(),
          personId: z.string().nullable(),
          startMs: ms,
          endMs: ms,
          confidence,
          samples: z.array(z.object({ tMs: ms, box: Box, landmarks: z.array(Point), quality: z.number() })),
          thumbnail: z.string().nullable(),
        }),
      )
      .nullable(),
    people: z
      .array(
        z.object({
          personId: z.string(),
          startMs: ms,
          endMs: ms,
          cohesion: confidence,
          trackIds: z.array(z.string()),
        }),
      )
      .nullable(),
  })
  .meta({ id: 'ResultDocument', title: 'Result of a job' });

export type ResultDocument = z.infer<typeof ResultDocument>;
