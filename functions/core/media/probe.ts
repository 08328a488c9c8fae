/**
 * What a medium is, as far as the server can tell without decoding it: a few range reads of the
 * object, bounded in bytes and time, and pure JavaScript. What is broken, too large or no medium at
 * all is refused here, before anything is rented. What cannot be told here (AVI, MPEG-TS, an index
 * larger than the limit) passes with nulls: the worker looks again, with FFmpeg.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { AimaError } from '../errors.ts';
import type { MediaKind } from '../jobs/analyses.ts';
import { probeFilm } from './films.ts';
import { openReader, ReadLimitReached } from './object-reader.ts';
import { probePicture } from './pictures.ts';
import { signatureOf } from './signature.ts';

/** null: not known. */
export interface MediumFacts {
  kind: MediaKind | null;
  contentType: string | null;
  durationMs: number | null;
  /** Upright, in pixels. */
  width: number | null;
  height: number | null;
}

export interface ProbeSource {
  sizeBytes: number;
  /** First bytes of the object: `headBytes`, or all of a smaller one. */
  head: Buffer;
  /** Bytes [start, end) of the object. */
  fetchRange(start: number, end: number): Promise<Buffer>;
}

/** As many first bytes as most pictures and films need for the whole probe. */
export const headBytes = 64 * 1024;

const limits = {
  /** The index of a film of many hours has some MiB. */
  bytes: 32 * 2 ** 20,
  timeMs: 8_000,
};

/** @throws AimaError `broken_media`, `unsupported_media`, `media_too_large`, with a sentence for people. */
export async function probe(source: ProbeSource): Promise<MediumFacts> {
  if (source.sizeBytes === 0) throw new AimaError('broken_media', 'The file is empty.');
  const signature = signatureOf(source.head);
  if (signature.is === 'other') throw new AimaError('unsupported_media', signature.sentence);
  const unknown: MediumFacts = { kind: null, contentType: null, durationMs: null, width: null, height: null };
  if (signature.is === 'exotic') {
    return { ...unknown, kind: signature.kind, contentType: signature.contentType };
  }
  const file = openReader(source.sizeBytes, source.head, source.fetchRange, limits.bytes);
  const facts =
    signature.is === 'picture'
      ? probePicture(file, signature.format, signature.contentType)
      : probeFilm(file, signature.format);
  return withinLimits(facts, unknown);
}

async function withinLimits(facts: Promise<MediumFacts>, unknown: MediumFacts): Promise<MediumFacts> {
  const timer = new AbortController();
  try {
    return await Promise.race([facts, sleep(limits.timeMs, unknown, { signal: timer.signal })]);
  } catch (error) {
    if (error instanceof ReadLimitReached) return unknown;
    throw error;
  } finally {
    timer.abort();
  }
}
