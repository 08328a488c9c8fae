/** Joins what parts cut apart: rows of one id become one entry again. Pure. */
import type {
  FaceRow,
  LoudnessRow,
  ObjectRow,
  PersonRow,
  PictureRow,
  ResultRow,
  SceneRow,
  SegmentRow,
  SpeakerRow,
  TextRow,
} from './rows.ts';
import type { ResultDocument } from './schema.ts';

type Entry<K extends 'texts' | 'scenes' | 'objects' | 'faces'> = NonNullable<ResultDocument[K]>[number];

export function segmentsOf(rows: ResultRow[]): SegmentRow[] {
  return rows.filter((row) => row.kind === 'segment').toSorted((a, b) => a.startMs - b.startMs);
}

export function joinTexts(rows: ResultRow[]): Entry<'texts'>[] {
  return groups(ofKind(rows, 'text'), (row: TextRow) => row.textId).map((same) => {
    const instances: Entry<'texts'>['instances'] = [];
    for (const { startMs, endMs, quad } of same) {
      const last = instances.at(-1);
      if (last && startMs <= last.endMs) last.endMs = Math.max(last.endMs, endMs);
      else instances.push({ startMs, endMs, quad });
    }
    const best = surest(same);
    return { textId: best.textId, text: best.text, confidence: best.confidence, instances };
  });
}

export function joinScenes(rows: ResultRow[]): Entry<'scenes'>[] {
  return groups(ofKind(rows, 'scene'), (row: SceneRow) => row.sceneId).map((same) => {
    const { kind: _, ...first } = same[0]!;
    const thumbnail = same.find((row) => row.thumbnail !== null)?.thumbnail ?? null;
    return { ...first, endMs: latest(same), thumbnail };
  });
}

export function joinObjects(rows: ResultRow[]): Entry<'objects'>[] {
  return groups(ofKind(rows, 'object'), (row: ObjectRow) => row.trackId).map((same) => {
    const best = surest(same);
    return {
      trackId: best.trackId,
      label: best.label,
      startMs: same[0]!.startMs,
      endMs: latest(same),
      confidence: best.confidence,
      samples: same.flatMap((row) => row.samples),
    };
  });
}

/**
 * Grouping is done anew with every part, so the last row of a person holds, and a track belongs to
 * whom the last row with it names: a person whose tracks all went to others is none any more.
 */
export function joinPeople(rows: ResultRow[]): NonNullable<ResultDocument['people']> {
  const people = new Map<string, PersonRow>();
  const ownerOf = new Map<string, string>();
  for (const row of ofKind(rows, 'person')) {
    people.set(row.personId, row);
    for (const trackId of row.trackIds) ownerOf.set(trackId, row.personId);
  }
  return [...people.values()]
    .map(({ kind: _, ...person }) => ({
      ...person,
      trackIds: person.trackIds.filter((trackId) => ownerOf.get(trackId) === person.personId),
      // Looked up when the document is read (read.ts): names change.
      libraryPersonId: null,
      name: null,
    }))
    .filter((person) => person.trackIds.length > 0)
    .toSorted((a, b) => a.startMs - b.startMs);
}

/** Without embeddings: those are biometric and stay in the database. */
export function joinFaces(rows: ResultRow[]): Entry<'faces'>[] {
  const personOf = new Map(
    joinPeople(rows).flatMap((person) => person.trackIds.map((track) => [track, person.personId])),
  );
  return groups(ofKind(rows, 'face'), (row: FaceRow) => row.trackId).map((same) => {
    const best = surest(same);
    return {
      trackId: best.trackId,
      personId: personOf.get(best.trackId) ?? null,
      startMs: same[0]!.startMs,
      endMs: latest(same),
      confidence: best.confidence,
      samples: same.flatMap((row) => row.samples),
      thumbnail: best.thumbnail ?? same.find((row) => row.thumbnail !== null)?.thumbnail ?? null,
    };
  });
}

/** Grouping is done anew with every part, as of people. */
export function joinSpeakers(rows: ResultRow[]): NonNullable<ResultDocument['speakers']> {
  const turns = new Map(ofKind(rows, 'voice').map((row) => [row.turnId, row]));
  const speakers = new Map<string, SpeakerRow>();
  const ownerOf = new Map<string, string>();
  for (const row of ofKind(rows, 'speaker')) {
    speakers.set(row.speakerId, row);
    for (const turnId of row.turnIds) ownerOf.set(turnId, row.speakerId);
  }
  return [...speakers.values()]
    .map(({ speakerId, cohesion, turnIds }) => {
      const rowsOfOwn = turnIds
        .filter((turnId) => ownerOf.get(turnId) === speakerId)
        .flatMap((turnId) => turns.get(turnId) ?? []);
      const own = touching(rowsOfOwn).map((same) => ({ startMs: same[0]!.startMs, endMs: latest(same) }));
      const totalMs = own.reduce((sum, { startMs, endMs }) => sum + endMs - startMs, 0);
      return { speakerId, totalMs, cohesion, turns: own };
    })
    .filter((speaker) => speaker.turns.length > 0)
    .toSorted((a, b) => a.turns[0]!.startMs - b.turns[0]!.startMs);
}

export function joinModeration(rows: ResultRow[]): NonNullable<ResultDocument['moderation']> {
  const byCategory = Map.groupBy(ofKind(rows, 'moderation'), (row) => row.category);
  const findings = [...byCategory.values()]
    .flatMap((same) => touching(same))
    .map((same) => ({ ...surest(same), startMs: same[0]!.startMs, endMs: latest(same) }))
    .map(({ kind: _, ...finding }) => finding)
    .toSorted((a, b) => a.startMs - b.startMs);
  return { verdict: findings.length > 0 ? 'review' : 'safe', findings };
}

/** Without embeddings: those are for the search, and long. */
export function joinPictures(rows: ResultRow[]): NonNullable<ResultDocument['pictures']> {
  return groups(ofKind(rows, 'picture'), (row: PictureRow) => row.pictureId).map((same) => {
    const { kind: _, embedding: __, embeddingSpace: ___, sketch: ____, ...first } = same[0]!;
    const thumbnail = same.find((row) => row.thumbnail !== null)?.thumbnail ?? null;
    return { ...first, endMs: latest(same), thumbnail };
  });
}

export function joinSignals(rows: ResultRow[]): NonNullable<ResultDocument['signals']> {
  const bySignal = Map.groupBy(ofKind(rows, 'signal'), (row) => row.signal);
  return [...bySignal.values()]
    .flatMap((same) => touching(same))
    .map((same) => ({ signal: same[0]!.signal, startMs: same[0]!.startMs, endMs: latest(same) }))
    .toSorted((a, b) => a.startMs - b.startMs);
}

export function loudnessOf(rows: ResultRow[]): LoudnessRow[] {
  return ofKind(rows, 'loudness').toSorted((a, b) => a.startMs - b.startMs);
}

/** Rows that follow each other without a gap, together, in the order of time. */
function touching<Row extends { startMs: number; endMs: number }>(rows: Row[]): Row[][] {
  const joined: Row[][] = [];
  for (const row of rows.toSorted((a, b) => a.startMs - b.startMs)) {
    const last = joined.at(-1);
    if (last && row.startMs <= latest(last)) last.push(row);
    else joined.push([row]);
  }
  return joined;
}

function ofKind<K extends ResultRow['kind']>(rows: ResultRow[], kind: K): Extract<ResultRow, { kind: K }>[] {
  return rows.filter((row): row is Extract<ResultRow, { kind: K }> => row.kind === kind);
}

/** Rows of the same id, each group and the groups themselves in order of time. */
function groups<Row extends { startMs: number }>(rows: Row[], id: (row: Row) => string): Row[][] {
  const sorted = rows.toSorted((a, b) => a.startMs - b.startMs);
  return [...Map.groupBy(sorted, id).values()];
}

function surest<Row extends { confidence: number | null }>(rows: Row[]): Row {
  return rows.reduce((best, row) => ((row.confidence ?? 0) > (best.confidence ?? 0) ? row : best));
}

function latest(rows: { endMs: number }[]): number {
  return Math.max(...rows.map((row) => row.endMs));
}
