/**
 * The analyzer `faces`: each face followed through the film, and the tracks grouped into
 * persons. It finds out who is the same within one medium, never who somebody is. Faces
 * are biometric data; this runs only where it is asked for by name.
 *
 * Persons are grouped at the very end, over the tracks of all parts.
 */

import { round, roundBox, roundPoint } from '../../functions/core/results/boxes.ts';
import { decodeEmbedding, encodeEmbedding } from '../../functions/core/results/embeddings.ts';
import { groupPersons, minPersonQuality } from '../../functions/core/results/persons.ts';
import type { FaceRow, PersonRow, ResultRow } from '../../functions/core/results/rows.ts';
import type { Analyzer, AnalyzerContext, AnalyzerSession } from './analyzer.ts';
import { FaceAlbum, meanEmbedding } from './faces/album.ts';
import { continuity, type SeenFace } from './faces/continuity.ts';
import { EMBEDDING_SPACE } from './faces/description.ts';
import { FACE_MODELS, openFaceFinder } from './faces/finder.ts';
import { ShotCounter } from './faces/shots.ts';
import { type Track, Tracker, type TrackPart } from './tracks.ts';

const FRAMES_PER_SECOND = 2;
const MAX_GAP_MS = 1500;
const SURE_CONFIDENCE = 0.9;
export const faces: Analyzer = {
  name: 'faces',
  version: '2',
  kinds: ['image', 'video'],
  feed: { frames: { fps: FRAMES_PER_SECOND, maxWidth: 1280 } },
  models: FACE_MODELS,
  cost: 0.12,
  start,
};

async function start(context: AnalyzerContext): Promise<AnalyzerSession> {
  const findFaces = await openFaceFinder(context.models);
  const isPicture = context.kind === 'image';
  const shots = new ShotCounter();
  const tracker = new Tracker<SeenFace>({
    prefix: 'f',
    affinity: continuity,
    maxGapMs: MAX_GAP_MS,
    sightingMs: isPicture ? 0 : 1000 / FRAMES_PER_SECOND,
    sureConfidence: isPicture ? 0 : SURE_CONFIDENCE,
    resumed: context.saved.flatMap(resumedTrack),
  });
  const album = new FaceAlbum();
  /** From when to when each track that was saved is seen. */
  const saved = new Map<string, { startMs: number; endMs: number }>();

  function remember({ trackId, startMs, endMs }: FaceRow): void {
    saved.set(trackId, { startMs: saved.get(trackId)?.startMs ?? startMs, endMs });
  }

  async function rowsOf(parts: TrackPart<SeenFace>[]): Promise<FaceRow[]> {
    const rows = await Promise.all(parts.map((part) => toRow(part, album, context)));
    for (const row of rows) remember(row);
    return rows;
  }

  function persons(): PersonRow[] {
    const tracks = [...saved.keys()]
      .map((trackId) => ({ trackId, entry: album.entries.get(trackId)! }))
      .filter(({ entry }) => entry.bestQuality >= minPersonQuality)
      .map(({ trackId, entry }) => ({
        trackId,
        embedding: meanEmbedding(entry),
        seenAtMs: entry.seenAtMs,
      }));
    return groupPersons(tracks).map(({ trackIds, cohesion }, i) => ({
      kind: 'person',
      personId: `p${i + 1}`,
      startMs: Math.min(...trackIds.map((trackId) => saved.get(trackId)!.startMs)),
      endMs: Math.max(...trackIds.map((trackId) => saved.get(trackId)!.endMs)),
      cohesion: cohesion === null ? null : round(cohesion),
      trackIds,
    }));
  }

  for (const row of context.saved) {
    if (row.kind !== 'face') continue;
    album.restore(row);
    remember(row);
  }

  return {
    async onFrame(frame) {
      const shot = shots.see(frame);
      const found = await findFaces(frame);
      const tracks = tracker.add(
        frame.tMs,
        found.map((face) => ({ ...face, shot })),
      );
      for (const [sighting, track] of tracks) await album.add(track.id, sighting, frame);
    },
    async drain(nowMs) {
      const toMs = tracker.finalUntil(nowMs);
      return { toMs, rows: await rowsOf(tracker.take(toMs)) };
    },
    async finish() {
      const rows = await rowsOf(tracker.takeRest(context.durationMs));
      const status = saved.size > 0 ? 'ok' : 'nothing_found';
      return { toMs: context.durationMs, rows: [...rows, ...persons()], outcome: { status, reason: null } };
    },
    async dispose() {},
  };
}

async function toRow(
  { track, startMs, endMs, sightings }: TrackPart<SeenFace>,
  album: FaceAlbum,
  context: AnalyzerContext,
): Promise<FaceRow> {
  const entry = album.entries.get(track.id)!;
  if (entry.picture) {
    entry.thumbnail = await context.savePicture(`faces/${track.id}.webp`, entry.picture, 'image/webp');
    entry.picture = null;
  }
  return {
    kind: 'face',
    trackId: track.id,
    startMs,
    endMs,
    confidence: round(track.confidence),
    samples: sightings.map(({ tMs, box, landmarks, quality }) => ({
      tMs,
      box: roundBox(box),
      landmarks: landmarks.map(roundPoint),
      quality: round(quality),
    })),
    embedding: encodeEmbedding(meanEmbedding(entry)),
    embeddingSpace: EMBEDDING_SPACE,
    thumbnail: entry.thumbnail,
  };
}

/** Where a track stood when the part was saved. */
function resumedTrack(row: ResultRow): Track<SeenFace>[] {
  const sample = row.kind === 'face' ? row.samples.at(-1) : undefined;
  if (row.kind !== 'face' || !sample) return [];
  const confidence = row.confidence ?? 0;
  const shot = ShotCounter.FIRST;
  const last = { ...sample, confidence, embedding: decodeEmbedding(row.embedding), shot };
  return [{ id: row.trackId, last, count: 2, confidence, sightings: [] }];
}
