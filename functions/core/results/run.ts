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
  /** The job that it was taken over from: it did not run in this one. */
  reusedFrom: z.string().optional(),
});

/** What it took until a model could be used, in milliseconds. */
export const ModelLoading = z.object({
  id: z.string(),
  file: z.string(),
  /** Reading it and putting it onto the device. */
  openMs: z.number().nonnegative(),
  /** The first run, in which buffers are made and, on CUDA, kernels chosen; null: it did not run. */
  firstRunMs: z.number().nonnegative().nullable(),
});

export const Loading = z.object({
  /** Fetching what was not there yet; little where nothing was missing. */
  fetchMs: z.number().nonnegative(),
  /** Those that were opened in this run; none where all were open already. */
  models: z.array(ModelLoading),
});

/** Not known, or not told by an earlier worker. */
const unknown = null;
const text = z.string().max(500).nullable();
const quantity = z.number().nullable();
const count = z.int().nullable();

export const Stream = z.object({
  type: z.string(),
  codec: z.string(),
  /** As stored: neither turned upright nor with square pixels. */
  width: count.default(unknown),
  height: count.default(unknown),
  fps: quantity.default(unknown),
  /** FFmpeg's name, such as `yuv420p`. */
  pixelFormat: text.default(unknown),
  /** Bits a second. */
  bitRate: count.default(unknown),
  sampleRate: count.default(unknown),
  channels: count.default(unknown),
  /** ISO 639, such as `eng`. */
  language: text.default(unknown),
});

/** What the camera says of a picture. */
export const Exif = z.object({
  make: text,
  model: text,
  lens: text,
  software: text,
  description: text,
  artist: text,
  copyright: text,
  /** By the camera's clock, with its offset from UTC where that is known: `2024-05-01T12:30:00+02:00`. */
  takenAt: text,
  exposureSeconds: quantity,
  fNumber: quantity,
  iso: quantity,
  focalLengthMm: quantity,
  focalLength35mm: quantity,
  flash: z.boolean().nullable(),
  /** 1..8 as stored: 1 is upright. */
  orientation: count,
  gps: z.object({ latitude: z.number(), longitude: z.number(), altitudeM: quantity }).nullable(),
});

export const MediumReport = z.object({
  kind: z.enum(['image', 'audio', 'video']),
  container: z.string(),
  durationMs: z.int().nonnegative(),
  width: z.int().nullable(),
  height: z.int().nullable(),
  fps: z.number().nullable(),
  rotation: z.int(),
  streams: z.array(Stream),
  /** Bits a second, of the whole file. */
  bitRate: count.default(unknown),
  /** What the container says of itself: `title`, `artist`, `creationTime`, `encoder` and others. */
  tags: z.record(z.string().max(40), z.string().max(500)).default({}),
  exif: Exif.nullable().default(unknown),
  /** Of the file, where all of it was read at once anyway: pictures, and what is smaller than 1 MiB. */
  sha256: text.default(unknown),
});

export const RunReport = z.object({
  startedAt: z.iso.datetime(),
  wallMs: z.number().nonnegative(),
  /** Of that, waiting for bytes of the medium. Not every worker tells. */
  transferMs: z.number().nonnegative().optional(),
  /** `cpu`, or `cuda` and the name of the GPU. */
  device: z.string(),
  worker: z.string(),
  medium: MediumReport.nullable(),
  /** Places of the medium that could not be read, a sentence each. Earlier workers did not tell. */
  damages: z.array(z.string()).default([]),
  /** Earlier workers did not tell. */
  loading: Loading.optional(),
  analyzers: z.array(AnalyzerRun),
});

export type RunReport = z.infer<typeof RunReport>;
export type AnalyzerRun = z.infer<typeof AnalyzerRun>;
export type Loading = z.infer<typeof Loading>;
export type ModelLoading = z.infer<typeof ModelLoading>;
export type Exif = z.infer<typeof Exif>;
export type ModelUsed = z.infer<typeof ModelUsed>;
