/**
 * What is remembered of every face track of a medium, from the first frame to the last and
 * over resumes: its mean vector, its best picture, and when it was seen.
 */

import { decodeEmbedding, normalised } from '../../../functions/core/results/embeddings.ts';
import type { FaceRow } from '../../../functions/core/results/rows.ts';
import type { Frame } from '../analyzer.ts';
import { cutOut, openFrame, type Region } from '../picture-tensor.ts';
import { regionAround } from './description.ts';
import type { FaceSighting } from './finder.ts';

export interface AlbumEntry {
  /** Sum of the vectors, each weighted by its quality, and the sum of these weights. */
  weightedSum: Float32Array;
  weight: number;
  bestQuality: number;
  /** A picture better than the one kept in `thumbnail`, encoded as WebP; null once that is kept. */
  picture: Buffer | null;
  thumbnail: string | null;
  seenAtMs: Set<number>;
}

const PICTURE_PIXELS = 256;
/** A thumbnail shows the head, not just the face. */
const PICTURE_SCALE = 1.7;
/** A picture is replaced where another is better by this factor; encoding takes 5 ms. */
const CLEARLY_BETTER = 1.1;

export class FaceAlbum {
  readonly entries = new Map<string, AlbumEntry>();

  /** Takes over what was saved of a track in an earlier part. */
  restore(row: FaceRow): void {
    const entry = this.#entry(row.trackId);
    const qualities = row.samples.map((sample) => sample.quality);
    entry.weight += qualities.reduce((sum, quality) => sum + quality, 0);
    // The row's vector is the mean of the whole track up to there, so the last row has it all.
    entry.weightedSum = decodeEmbedding(row.embedding).map((value) => value * entry.weight);
    entry.bestQuality = Math.max(entry.bestQuality, ...qualities);
    entry.thumbnail = row.thumbnail ?? entry.thumbnail;
    for (const sample of row.samples) entry.seenAtMs.add(sample.tMs);
  }

  async add(trackId: string, sighting: FaceSighting, frame: Frame): Promise<void> {
    const entry = this.#entry(trackId);
    const { embedding, quality } = sighting;
    entry.weightedSum = embedding.map((value, i) => (entry.weightedSum[i] ?? 0) + value * quality);
    entry.weight += quality;
    entry.seenAtMs.add(sighting.tMs);
    if (entry.seenAtMs.size > 1 && quality < entry.bestQuality * CLEARLY_BETTER) return;
    entry.bestQuality = quality;
    entry.picture = await thumbnailOf(frame, sighting);
  }

  #entry(trackId: string): AlbumEntry {
    const known = this.entries.get(trackId);
    if (known) return known;
    const entry: AlbumEntry = {
      weightedSum: new Float32Array(),
      weight: 0,
      bestQuality: 0,
      picture: null,
      thumbnail: null,
      seenAtMs: new Set(),
    };
    this.entries.set(trackId, entry);
    return entry;
  }
}

/** Of length 1. */
export function meanEmbedding(entry: AlbumEntry): Float32Array {
  return normalised(entry.weightedSum);
}

async function thumbnailOf(frame: Frame, { box }: FaceSighting): Promise<Buffer> {
  const side = Math.max(box.w * frame.width, box.h * frame.height) * PICTURE_SCALE;
  return openFrame(await cutOut(frame, withinFrame(frame, regionAround(frame, box, side, side))))
    .resize(PICTURE_PIXELS, PICTURE_PIXELS, { fit: 'inside', withoutEnlargement: true })
    .webp({ quality: 82 })
    .toBuffer();
}

/** For people to look at: what lies beyond the edge is nothing to see. */
function withinFrame(frame: Frame, { left, top, width, height }: Region): Region {
  const [x, y] = [Math.max(0, left), Math.max(0, top)];
  return {
    left: x,
    top: y,
    width: Math.min(frame.width, left + width) - x,
    height: Math.min(frame.height, top + height) - y,
  };
}
