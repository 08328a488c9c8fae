/** The whole medium at a glance: a lane for each sort of finding over the same axis. An SVG, pure. */
import type { ResultDocument } from '../schema.ts';
import { joined, type Stretch } from './facts.ts';
import { type Html, html } from './html.ts';
import type { Wording } from './wording.ts';
import { clock } from './write.ts';

const width = 960;
const left = 150;
const laneHeight = 16;
const laneStep = 24;
/** Narrower than a point is not seen: what is nearer than that is one. */
const mostMarks = width - left;
/** Momentary loudness from a whisper to as loud as it gets. */
const [quietLufs, loudLufs] = [-60, -5];

/** null where there is no time to show. */
export function strip(result: ResultDocument, wording: Wording): Html | null {
  const durationMs = result.medium.durationMs ?? 0;
  if (durationMs <= 0) return null;
  const gapMs = durationMs / mostMarks;
  const { heading } = wording;
  const lanes = [
    { name: heading.scenes, marks: scenesIn(result), gapMs: -1 },
    { name: heading.transcript, marks: all('speech', result.transcript?.segments), gapMs },
    { name: heading.people, marks: all('face', result.faces), gapMs },
    {
      name: heading.texts,
      marks: all(
        'read',
        result.texts?.flatMap((text) => text.instances),
      ),
      gapMs,
    },
    { name: heading.signals, marks: all('quiet', result.signals), gapMs },
    { name: heading.moderation, marks: all('review', result.moderation?.findings), gapMs },
  ].filter(({ marks }) => marks.length > 0);
  const loudness = loudnessPath(result, lanes.length * laneStep, durationMs);
  const rows = lanes.length + (loudness ? 1 : 0);
  if (rows === 0) return null;
  const xOf = (ms: number) => round(left + ((width - left) * Math.min(ms, durationMs)) / durationMs);
  const height = rows * laneStep + 18;
  return html`<svg viewBox="0 0 ${width} ${height}" role="img" aria-label="${heading.overview}">
${lanes.map(({ name, marks, gapMs }, row) => lane(name, row, marks, gapMs, xOf))}
${loudness === null ? null : html`<text x="0" y="${lanes.length * laneStep + 12}">${heading.loudness}</text>${loudness}`}
${[0, 0.25, 0.5, 0.75, 1].map((part) => html`<text x="${xOf(durationMs * part)}" y="${height - 3}" text-anchor="${part === 0 ? 'start' : part === 1 ? 'end' : 'middle'}">${clock(durationMs * part)}</text>`)}
</svg>`;
}

interface Mark extends Stretch {
  look: string;
}

function lane(name: string, row: number, marks: Mark[], gapMs: number, xOf: (ms: number) => number): Html {
  const y = row * laneStep;
  const looks = Map.groupBy(marks, ({ look }) => look);
  const rectangles = [...looks].flatMap(([look, same]) =>
    joined(same, gapMs).map(({ startMs, endMs }) => {
      const x = xOf(startMs);
      return html`<rect class="${look}" x="${x}" y="${y}" width="${round(Math.max(1, xOf(endMs) - x))}" height="${laneHeight}"/>`;
    }),
  );
  return html`<text x="0" y="${y + 12}">${name}</text><rect class="lane" x="${left}" y="${y}" width="${width - left}" height="${laneHeight}"/>${rectangles}
`;
}

function scenesIn({ scenes }: ResultDocument): Mark[] {
  return (scenes ?? []).map(({ startMs, endMs }, index) => ({ startMs, endMs, look: `scene${index % 2}` }));
}

function all(look: string, stretches: readonly Stretch[] | null | undefined): Mark[] {
  return (stretches ?? []).map(({ startMs, endMs }) => ({ startMs, endMs, look }));
}

function loudnessPath({ loudness }: ResultDocument, top: number, durationMs: number): Html | null {
  const steps = loudness?.momentaryLufs ?? [];
  if (loudness === null || steps.length === 0) return null;
  const together = Math.max(1, Math.ceil(steps.length / mostMarks));
  const bars: string[] = [];
  for (let at = 0; at < steps.length; at += together) {
    const lufs = Math.max(quietLufs, ...steps.slice(at, at + together).map((one) => one ?? quietLufs));
    const share = Math.min(1, (lufs - quietLufs) / (loudLufs - quietLufs));
    const x = left + ((width - left) * at * loudness.stepMs) / durationMs;
    bars.push(
      `${bars.length === 0 ? 'M' : 'L'}${round(Math.min(x, width))} ${round(top + laneHeight * (1 - share))}`,
    );
  }
  const bottom = top + laneHeight;
  return html`<path class="loud" d="${`M${left} ${bottom} ${bars.join(' ').replace('M', 'L')} L${width} ${bottom} Z`}"/>`;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
