/**
 * What an analyzer saves: rows on the medium's time axis, the same in the worker, in
 * Postgres and in the document of a job.
 *
 * Rules for all of them: times are integer milliseconds from the start of the medium,
 * intervals are half open [startMs, endMs); a still picture is the interval [0, 0];
 * boxes are fractions 0..1 of the upright picture; confidences are 0..1, or null where the
 * model gives none; ids are unique within the job and stable over its parts.
 *
 * An analyzer saves its rows in parts, one per stretch of time. What lasts longer than a
 * part (a track, a text on the screen) has one row in each part it touches, with the same
 * id; reading a job's result joins them again.
 */
import { z } from 'zod';

const ms = z.int().nonnegative();
const unit = z.number().min(0).max(1);
const confidence = unit.nullable();
const id = z.string().min(1).max(64);
const text = z.string().max(20_000);

/** A rectangle in fractions 0..1 of the upright picture: left, top, width, height. */
export const Box = z.object({ x: unit, y: unit, w: unit, h: unit });
/** A point in fractions 0..1 of the upright picture: x, y. */
export const Point = z.tuple([unit, unit]);

export const Word = z.object({ startMs: ms, endMs: ms, text, confidence });

/** One utterance. */
export const SegmentRow = z.object({
  kind: z.literal('segment'),
  startMs: ms,
  endMs: ms,
  text,
  language: z.string().max(16),
  confidence,
  speakerId: id.nullable(),
  words: z.array(Word).max(5_000),
});

/** One line of text seen in the picture; its corners clockwise from the top left. */
export const TextRow = z.object({
  kind: z.literal('text'),
  textId: id,
  startMs: ms,
  endMs: ms,
  text,
  confidence,
  quad: z.tuple([Point, Point, Point, Point]),
});

/** One shot between two cuts; its keyframe is kept as a picture in the object store. */
export const SceneRow = z.object({
  kind: z.literal('scene'),
  sceneId: id,
  startMs: ms,
  endMs: ms,
  /** How sharp the cut that opens the scene is; null for the first scene. */
  score: confidence,
  keyframeMs: ms,
  /** Name of the keyframe's picture below the job's result prefix, such as `scenes/s1.webp`. */
  thumbnail: z.string().max(128).nullable(),
});

/** One tracked object of a known class. */
export const ObjectRow = z.object({
  kind: z.literal('object'),
  trackId: id,
  label: z.string().max(64),
  classId: z.int().nonnegative(),
  startMs: ms,
  endMs: ms,
  confidence,
  samples: z.array(z.object({ tMs: ms, box: Box, confidence })).max(10_000),
});

/** One tracked face. The embedding is what later parts and other media are compared with. */
export const FaceRow = z.object({
  kind: z.literal('face'),
  trackId: id,
  startMs: ms,
  endMs: ms,
  confidence,
  samples: z
    .array(z.object({ tMs: ms, box: Box, landmarks: z.array(Point).max(68), quality: unit }))
    .max(10_000),
  /** L2-normalised, little-endian float32, base64. Compared only within one `embeddingSpace`. */
  embedding: z.string().max(16_384),
  embeddingSpace: z.string().max(64),
  thumbnail: z.string().max(128).nullable(),
});

/** Faces of one medium that look like the same person. Replaces itself with each part. */
export const PersonRow = z.object({
  kind: z.literal('person'),
  personId: id,
  startMs: ms,
  endMs: ms,
  /** Mean similarity inside the group, 0..1; null for a single track. */
  cohesion: confidence,
  trackIds: z.array(id).max(10_000),
});

/** A stretch in which one voice speaks. Its embedding is what other stretches are compared with. */
export const VoiceRow = z.object({
  kind: z.literal('voice'),
  turnId: id,
  startMs: ms,
  endMs: ms,
  /** As of a face. */
  embedding: z.string().max(16_384),
  embeddingSpace: z.string().max(64),
});

/** Turns of one medium that sound like the same voice. Replaces itself with each part. */
export const SpeakerRow = z.object({
  kind: z.literal('speaker'),
  speakerId: id,
  startMs: ms,
  endMs: ms,
  /** Mean similarity inside the group, 0..1; null for a single turn. */
  cohesion: confidence,
  turnIds: z.array(id).max(20_000),
});

/** Something that a person should look at before it is shown to others. */
export const ModerationRow = z.object({
  kind: z.literal('moderation'),
  category: z.string().max(64),
  startMs: ms,
  endMs: ms,
  confidence,
});

/** What the picture looks like for a while, so that others like it can be found. */
export const PictureRow = z.object({
  kind: z.literal('picture'),
  pictureId: id,
  startMs: ms,
  endMs: ms,
  keyframeMs: ms,
  /** 64 bits in hexadecimal; near copies differ in few of them. */
  perceptualHash: z.string().regex(/^[0-9a-f]{16}$/),
  /** As of a face; only in the first row of a picture, and null where there is nothing to see in it. */
  embedding: z.string().max(16_384).nullable(),
  embeddingSpace: z.string().max(64).nullable(),
  /** The embedding in 512 bits, in hexadecimal (sketch.ts). */
  sketch: z
    .string()
    .regex(/^[0-9a-f]{128}$/)
    .nullable(),
  thumbnail: z.string().max(128).nullable(),
});

export const signals = ['silence', 'black', 'freeze'] as const;

/** Sound or picture without anything in it. */
export const SignalRow = z.object({
  kind: z.literal('signal'),
  signal: z.enum(signals),
  startMs: ms,
  endMs: ms,
});

/** How loud the sound is, step by step from `startMs` on. */
export const LoudnessRow = z.object({
  kind: z.literal('loudness'),
  startMs: ms,
  endMs: ms,
  stepMs: z.int().positive(),
  /**
   * Momentary loudness (ITU-R BS.1770) of the 400 ms that end with each step; null below the absolute gate
   * of -70 LUFS and where the sound has not lasted so long.
   */
  momentaryLufs: z.array(z.number().nullable()).max(20_000),
  /** The highest sample of each step, 0..1. */
  peaks: z.array(unit).max(20_000),
});

/** Any row an analyzer may save. */
export const ResultRow = z.discriminatedUnion('kind', [
  SegmentRow,
  TextRow,
  SceneRow,
  ObjectRow,
  FaceRow,
  PersonRow,
  VoiceRow,
  SpeakerRow,
  ModerationRow,
  PictureRow,
  SignalRow,
  LoudnessRow,
]);

export type Box = z.infer<typeof Box>;
export type Point = z.infer<typeof Point>;
export type Word = z.infer<typeof Word>;
export type SegmentRow = z.infer<typeof SegmentRow>;
export type TextRow = z.infer<typeof TextRow>;
export type SceneRow = z.infer<typeof SceneRow>;
export type ObjectRow = z.infer<typeof ObjectRow>;
export type FaceRow = z.infer<typeof FaceRow>;
export type PersonRow = z.infer<typeof PersonRow>;
export type VoiceRow = z.infer<typeof VoiceRow>;
export type SpeakerRow = z.infer<typeof SpeakerRow>;
export type ModerationRow = z.infer<typeof ModerationRow>;
export type PictureRow = z.infer<typeof PictureRow>;
export type SignalRow = z.infer<typeof SignalRow>;
export type LoudnessRow = z.infer<typeof LoudnessRow>;
export type ResultRow = z.infer<typeof ResultRow>;
