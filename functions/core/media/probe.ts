/**
 * What a medium is, as far as the server can tell without decoding it: a few range reads of the
 * object, bounded in bytes, time and memory (inspection.ts). What is broken, too large or no medium at
 * all is refused here, before anything is rented. What cannot be told here (AVI, MPEG-TS, an index
 * larger than the limit) passes with nulls: the worker looks again, with FFmpeg.
 */
import { AimaError } from '../errors.ts';
import type { MediaKind } from '../jobs/analyses.ts';
import { inspect } from './inspection.ts';
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

const limitMs = 8_000;

/** @throws AimaError `broken_media`, `unsupported_media`, `media_too_large`, with a sentence for people. */
export async function probe(source: ProbeSource): Promise<MediumFacts> {
  if (source.sizeBytes === 0) throw new AimaError('broken_media', 'The file is empty.');
  const signature = signatureOf(source.head);
  if (signature.is === 'other') throw new AimaError('unsupported_media', signature.sentence);
  const unknown: MediumFacts = { kind: null, contentType: null, durationMs: null, width: null, height: null };
  if (signature.is === 'exotic') {
    return { ...unknown, kind: signature.kind, contentType: signature.contentType };
  }
  const { sizeBytes, head } = source;
  return (await inspect({ sizeBytes, head, signature }, source.fetchRange, limitMs)) ?? unknown;
}
