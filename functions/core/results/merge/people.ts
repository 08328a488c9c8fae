/** Who is who over the whole medium: grouped anew, since no piece has seen all faces. */
import { decodeEmbedding, normalised } from '../embeddings.ts';
import { groupPersons, minPersonQuality } from '../persons.ts';
import type { FaceRow, PersonRow } from '../rows.ts';

/** @param faces rows of the whole, one or more for each track. */
export function mergePeople(faces: readonly FaceRow[]): PersonRow[] {
  const rows = faces.toSorted((a, b) => a.startMs - b.startMs);
  const tracks = [...Map.groupBy(rows, (row) => row.trackId)].map(trackOf);
  // Vectors of two models say nothing about each other.
  const spaces = Map.groupBy(
    tracks.filter((track) => track.bestQuality >= minPersonQuality),
    (track) => track.embeddingSpace,
  );
  const byId = new Map(tracks.map((track) => [track.trackId, track]));
  return [...spaces.values()]
    .flatMap((alike) => groupPersons(alike))
    .map(({ trackIds, cohesion }, index) => {
      const own = trackIds.map((trackId) => byId.get(trackId)!);
      return {
        kind: 'person',
        personId: `p${index + 1}`,
        startMs: Math.min(...own.map((track) => track.startMs)),
        endMs: Math.max(...own.map((track) => track.endMs)),
        cohesion: cohesion === null ? null : Math.round(cohesion * 1e4) / 1e4,
        trackIds,
      };
    });
}

/** The mean of the rows' vectors, each weighted by how well the face was seen. */
export function trackOf([trackId, rows]: [string, FaceRow[]]) {
  const samples = rows.flatMap((row) => row.samples);
  const vectors = rows.map((row) => ({
    vector: decodeEmbedding(row.embedding),
    weight: row.samples.reduce((sum, { quality }) => sum + quality, 0),
  }));
  const sum = vectors[0]!.vector.map((_, i) =>
    vectors.reduce((total, { vector, weight }) => total + (vector[i] ?? 0) * weight, 0),
  );
  return {
    trackId,
    embedding: normalised(sum),
    embeddingSpace: rows[0]!.embeddingSpace,
    seenAtMs: new Set(samples.map(({ tMs }) => tMs)),
    bestQuality: Math.max(...samples.map(({ quality }) => quality)),
    startMs: rows[0]!.startMs,
    endMs: Math.max(...rows.map((row) => row.endMs)),
  };
}
