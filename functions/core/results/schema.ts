/**
 * The document of a job: everything that was found, on one time axis. This is what is published as
 * JSON Schema (`GET /function/jobs/schema`) and versioned by `schema`.
 *
 * In every list null means "not asked for or not run" and [] "run, and nothing found".
 */
import { z } from 'zod';
import { Box, Point, signals, Word } from './rows.ts';
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
    speakers: z
      .array(
        z.object({
          speakerId: z.string(),
          /** Of all turns together. */
          totalMs: ms,
          cohesion: confidence,
          turns: z.array(z.object({ startMs: ms, endMs: ms })),
        }),
      )
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
          /** The person of the owner's library whom it belongs to, and that person's name by now. */
          libraryPersonId: z.string().nullable(),
          name: z.string().nullable(),
        }),
      )
      .nullable(),
    /** `review`: a person should look at what follows. It is never said that something is not to be shown. */
    moderation: z
      .object({
        verdict: z.enum(['safe', 'review']),
        findings: z.array(z.object({ category: z.string(), startMs: ms, endMs: ms, confidence })),
      })
      .nullable(),
    pictures: z
      .array(
        z.object({
          pictureId: z.string(),
          startMs: ms,
          endMs: ms,
          keyframeMs: ms,
          perceptualHash: z.string(),
          thumbnail: z.string().nullable(),
        }),
      )
      .nullable(),
    signals: z.array(z.object({ signal: z.enum(signals), startMs: ms, endMs: ms })).nullable(),
    /** Of the sound, in at most some thousand steps; null where there is none. */
    loudness: z
      .object({
        /**
         * LUFS of the whole (ITU-R BS.1770 with gating); null where all of it is silent. Measured on the
         * sound mixed to mono at 16 kHz: up to some LU low where much lies above 8 kHz or on one side.
         */
        integratedLufs: z.number().nullable(),
        stepMs: z.int(),
        /** The highest of each step, from the start of the medium on. */
        momentaryLufs: z.array(z.number().nullable()),
        peaks: z.array(z.number()),
      })
      .nullable(),
  })
  .meta({ id: 'ResultDocument', title: 'Result of a job' });

export type ResultDocument = z.infer<typeof ResultDocument>;
