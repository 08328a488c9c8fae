/** Who is seen in one medium, as it is compared with other media. Pure. */
import { decodeEmbedding, normalised } from '../results/embeddings.ts';
import { joinPeople } from '../results/join.ts';
import { trackOf } from '../results/merge/people.ts';
import type { FaceRow, ResultRow } from '../results/rows.ts';
import { isPictureName } from '../storage/prefix.ts';

export interface MediumPerson {
  personId: string;
  /** The mean over all tracks, of length 1. */
  embedding: Float32Array;
  embeddingSpace: string;
  thumbnail: string | null;
  /** Of the best sighting, 0..1. */
  quality: number;
}

/** @param rows of the analyzer `faces`. A person whose vectors are of no use is left out. */
export function mediumPersons(rows: ResultRow[]): MediumPerson[] {
  const faces = rows.filter((row): row is FaceRow => row.kind === 'face');
  const byTrack = Map.groupBy(faces, (row) => row.trackId);
  return joinPeople(rows).flatMap(({ personId, trackIds }) => {
    const own = trackIds.flatMap((trackId) => {
      const tracked = byTrack.get(trackId);
      return tracked ? [{ ...trackOf([trackId, tracked]), thumbnail: pictureOf(tracked) }] : [];
    });
    const first = own[0];
    if (!first) return [];
    const alike = own.filter(
      (track) =>
        track.embeddingSpace === first.embeddingSpace && track.embedding.length === first.embedding.length,
    );
    const embedding = meanOf(alike.map((track) => track.embedding));
    if (!embedding) return [];
    const best = alike.toSorted((a, b) => b.bestQuality - a.bestQuality);
    const thumbnail = best.find((track) => track.thumbnail !== null)?.thumbnail ?? null;
    return {
      personId,
      embedding,
      embeddingSpace: first.embeddingSpace,
      thumbnail,
      quality: best[0]!.bestQuality,
    };
  });
}

/** Of length 1; null where it has no direction. */
export function meanOf(vectors: readonly Float32Array[]): Float32Array | null {
  const [first] = vectors;
  if (!first || first.length === 0) return null;
  const sum = first.map((_, i) => vectors.reduce((total, vector) => total + vector[i]!, 0));
  const mean = normalised(sum);
  return mean.every(Number.isFinite) && mean.some((value) => value !== 0) ? mean : null;
}

export function fromBytes(bytes: Buffer): Float32Array {
  return decodeEmbedding(bytes.toString('base64'));
}

function pictureOf(rows: FaceRow[]): string | null {
  return rows.find(({ thumbnail }) => thumbnail !== null && isPictureName(thumbnail))?.thumbnail ?? null;
}
