/**
 * Groups the face tracks of one medium into persons: average linkage (Sokal and Michener
 * 1958) on the cosine of their vectors. Two faces seen in the same frame are two persons,
 * however alike.
 *
 * The groups are found with nearest-neighbour chains (Benzécri 1982): the same groups as
 * from always merging the two most similar ones, in n² instead of n³ steps. Tracks are
 * compared in the order given, so that the same tracks always make the same groups.
 */
import { dot } from './embeddings.ts';

export interface FaceTrack {
  trackId: string;
  /** Of length 1. */
  embedding: Float32Array;
  /** Times at which the face was seen. */
  seenAtMs: ReadonlySet<number>;
}

export interface Person {
  trackIds: string[];
  /** Mean cosine of all pairs, 0..1; null for a single track. */
  cohesion: number | null;
}

/**
 * Cosine of two tracks' mean vectors from which on they are merged. Measured on few people:
 * one man in two lights .72, 22 women, each in several pictures, .71 and more with themselves and
 * at most .66 with each other in one light. Rather two groups of one person than one group of two.
 */
const SAME_PERSON = 0.68;
/** Tracks whose best sighting is poorer (about 35 pixels, or in profile) belong to no person. */
export const minPersonQuality = 0.25;

const NEVER = Number.NEGATIVE_INFINITY;

/** Groups in the order of their first track. */
export function groupPersons(tracks: readonly FaceTrack[], samePerson = SAME_PERSON): Person[] {
  const similarity = tracks.map((a) =>
    Float32Array.from(tracks, (b) => (seenTogether(a, b) ? NEVER : dot(a.embedding, b.embedding))),
  );
  return averageLinkage(similarity, samePerson).map((members) => {
    const group = members.map((index) => tracks[index]!);
    return { trackIds: group.map((track) => track.trackId), cohesion: meanCosine(group) };
  });
}

/**
 * Groups of indices whose mean similarity is at least `threshold`; `similarity` is square and
 * symmetric, and is used up. `-Infinity` keeps two apart for good.
 *
 * @param weights how much each counts in a mean; all the same where left out.
 */
export function averageLinkage(
  similarity: Float32Array[],
  threshold: number,
  weights?: readonly number[],
): number[][] {
  const sizes = similarity.map((_, index) => weights?.[index] ?? 1);
  const groups = new Map(similarity.map((_, index) => [index, [index]]));
  const finished: number[][] = [];
  const chain: number[] = [];
  while (groups.size > 0) {
    if (chain.length === 0) chain.push(groups.keys().next().value!);
    const end = chain.at(-1)!;
    const before = chain.at(-2);
    const nearest = nearestGroup(end, before, similarity[end]!, groups);
    if (nearest === null || similarity[end]![nearest]! < threshold) {
      // Merging others never brings a group closer than its nearest one is: nothing more will join this one.
      finished.push(groups.get(end)!);
      groups.delete(end);
      chain.pop();
    } else if (nearest === before) {
      merge(before, end, similarity, groups, sizes);
      chain.length -= 2;
    } else chain.push(nearest);
  }
  return finished.map((members) => members.sort((a, b) => a - b)).sort((a, b) => a[0]! - b[0]!);
}

/** Among equals the one before in the chain, or else the first: so chains end. */
function nearestGroup(
  group: number,
  before: number | undefined,
  similarities: Float32Array,
  groups: ReadonlyMap<number, number[]>,
): number | null {
  let nearest = before ?? null;
  for (const other of groups.keys()) {
    if (other === group) continue;
    if (nearest === null || similarities[other]! > similarities[nearest]!) nearest = other;
  }
  return nearest;
}

function merge(
  kept: number,
  gone: number,
  similarity: Float32Array[],
  groups: Map<number, number[]>,
  sizes: number[],
): void {
  const [keptSize, goneSize] = [sizes[kept]!, sizes[gone]!];
  for (const other of groups.keys()) {
    if (other === kept || other === gone) continue;
    const mean =
      (similarity[kept]![other]! * keptSize + similarity[gone]![other]! * goneSize) / (keptSize + goneSize);
    similarity[kept]![other] = mean;
    similarity[other]![kept] = mean;
  }
  groups.set(kept, [...groups.get(kept)!, ...groups.get(gone)!]);
  groups.delete(gone);
  sizes[kept] = keptSize + goneSize;
}

function seenTogether(a: FaceTrack, b: FaceTrack): boolean {
  for (const tMs of a.seenAtMs) if (b.seenAtMs.has(tMs)) return true;
  return false;
}

/** The squared length of the vectors' sum is the sum of all their cosines, each vector's with itself among them. */
function meanCosine(tracks: readonly FaceTrack[]): number | null {
  const count = tracks.length;
  if (count < 2) return null;
  const sum = tracks[0]!.embedding.map((_, i) =>
    tracks.reduce((total, track) => total + track.embedding[i]!, 0),
  );
  return Math.min(1, Math.max(0, (dot(sum, sum) - count) / (count * (count - 1))));
}
