/** Joins what parts cut apart: rows of one id become one entry again. Pure. */
import type { FaceRow, ObjectRow, PersonRow, ResultRow, SceneRow, SegmentRow, TextRow } from './rows.ts';
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
