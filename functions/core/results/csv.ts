/** Everything that was found as one table (RFC 4180), a row for each finding, in order of time. Pure. */
import type { ResultDocument } from './schema.ts';

const columns = ['startMs', 'endMs', 'kind', 'id', 'text', 'confidence', 'x', 'y', 'w', 'h'] as const;

type Row = Partial<Record<(typeof columns)[number], string | number | null>> & { startMs: number };

export function toCsv(document: ResultDocument): string {
  const rows: Row[] = [
    ...(document.scenes ?? []).map((scene) => ({
      ...scene,
      kind: 'scene',
      id: scene.sceneId,
      confidence: scene.score,
    })),
    ...(document.transcript?.segments ?? []).map((segment) => ({
      ...segment,
      kind: 'speech',
      id: segment.speakerId,
    })),
    ...(document.texts ?? []).flatMap((text) =>
      text.instances.map((instance) => ({
        ...instance,
        ...boundsOf(instance.quad),
        kind: 'text',
        id: text.textId,
        text: text.text,
        confidence: text.confidence,
      })),
    ),
    ...(document.objects ?? []).map((track) => ({
      ...track,
      ...track.samples[0]?.box,
      kind: 'object',
      id: track.trackId,
      text: track.label,
    })),
    ...(document.faces ?? []).map((track) => ({
      ...track,
      ...track.samples[0]?.box,
      kind: 'face',
      id: track.trackId,
      text: track.personId,
    })),
    ...(document.speakers ?? []).flatMap((speaker) =>
      speaker.turns.map((turn) => ({
        ...turn,
        kind: 'voice',
        id: speaker.speakerId,
        confidence: speaker.cohesion,
      })),
    ),
    ...(document.moderation?.findings ?? []).map((finding) => ({
      ...finding,
      kind: 'moderation',
      text: finding.category,
    })),
    ...(document.signals ?? []).map((signal) => ({ ...signal, kind: 'signal', text: signal.signal })),
    ...(document.pictures ?? []).map((picture) => ({ ...picture, kind: 'picture', id: picture.pictureId })),
  ];
  const lines = rows
    .toSorted((a, b) => a.startMs - b.startMs)
    .map((row) => columns.map((column) => field(row[column])).join(','));
  return [columns.join(','), ...lines, ''].join('\r\n');
}

function field(value: string | number | null | undefined): string {
  if (value === null || value === undefined) return '';
  if (typeof value === 'number') return String(value);
  // A leading = + - @ makes a spreadsheet run it (OWASP: CSV injection), in East Asian width too.
  const safe = /^[=+\-@\t\r\n\uFF1D\uFF0B\uFF0D\uFF20]/.test(value) ? `'${value}` : value;
  // Also where it only separates elsewhere: a spreadsheet set to semicolons or tabs would cut there.
  return /[",;\t\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

function boundsOf(quad: [number, number][]) {
  const x = Math.min(...quad.map((point) => point[0]));
  const y = Math.min(...quad.map((point) => point[1]));
  const right = Math.max(...quad.map((point) => point[0]));
  const bottom = Math.max(...quad.map((point) => point[1]));
  return { x, y, w: right - x, h: bottom - y };
}
