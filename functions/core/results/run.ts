/** How a job went, as its worker reports it: kept with the results, so that each says where it came from. */
import { z } from 'zod';

export const ModelUsed = z.object({
  id: z.string(),
  version: z.string(),
  sha256: z.string(),
  licence: z.string(),
  /** What people should know of it, such as how often it errs. */
  note: z.string().nullable(),
});

export const AnalyzerRun = z.object({
  name: z.string(),
  version: z.string(),
  status: z.enum(['ok', 'nothing_found', 'unsupported_language', 'skipped', 'failed']),
  /** A sentence for people where it is not ok. */
  reason: z.string().nullable(),
  wallMs: z.number().nonnegative(),
  models: z.array(ModelUsed),
});

export const Stream = z.object({ type: z.string(), codec: z.string() });

export const MediumReport = z.object({
  kind: z.enum(['image', 'audio', 'video']),
  container: z.string(),
  durationMs: z.int().nonnegative(),
  width: z.int().nullable(),
  height: z.int().nullable(),
  fps: z.number().nullable(),
  rotation: z.int(),
  streams: z.array(Stream),
});

export const RunReport = z.object({
  startedAt: z.iso.datetime(),
  wallMs: z.number().nonnegative(),
  /** Of that, waiting for bytes of the medium. Not every worker tells. */
  transferMs: z.number().nonnegative().optional(),
  device: z.string(),
  worker: z.string(),
  medium: MediumReport.nullable(),
  /** Places of the medium that could not be read, a sentence each. Earlier workers did not tell. */
  damages: z.array(z.string()).default([]),
  analyzers: z.array(AnalyzerRun),
});

export type RunReport = z.infer<typeof RunReport>;
export type AnalyzerRun = z.infer<typeof AnalyzerRun>;
export type ModelUsed = z.infer<typeof ModelUsed>;
