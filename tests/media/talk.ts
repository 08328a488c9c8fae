/** The main test film: a talk of 60 s with slides, two speakers in two shots each, and speech. */
import type { RawMaterial } from './packages.ts';
import { crop, type Line, type Still, textPicture, toStill, window } from './stills.ts';

export interface Truth {
  durationMs: number;
  cutsMs: number[];
  /** Lines of text and when they are on the screen. */
  texts: { text: string; startMs: number; endMs: number }[];
  /** Who is in the picture when; nobody else is. */
  persons: { person: 'A' | 'B'; startMs: number; endMs: number }[];
  /** What is said, in lower case without punctuation, and when. */
  speech: { text: string; startMs: number; endMs: number }[];
}

const words =
  'and so my fellow americans ask not what your country can do for you ask what you can do for your country';
/** Length of the recording. */
const speechMs = 11_000;
const speechStartsMs = [2_000, 24_000, 46_000];

type Content =
  | { slide: Line[]; colour: string; background: string }
  | { person: 'A' | 'B'; mirrored: boolean; zoomed: boolean };

const shots: { startMs: number; content: Content }[] = [
  {
    startMs: 0,
    content: {
      slide: [
        { text: 'Idle machines cost money', size: 64, x: 150, y: 240 },
        { text: 'Quarterly review 2031', size: 40, x: 150, y: 380 },
      ],
      ...{ colour: '#14304f', background: '#f4f4ee' },
    },
  },
  { startMs: 7_000, content: { person: 'A', mirrored: false, zoomed: false } },
  {
    startMs: 15_000,
    content: {
      slide: [{ text: 'Rent it, use it, end it', size: 72, x: 130, y: 300 }],
      ...{ colour: '#ffffff', background: '#20242c' },
    },
  },
  { startMs: 22_000, content: { person: 'B', mirrored: false, zoomed: false } },
  { startMs: 30_000, content: { person: 'A', mirrored: true, zoomed: true } },
  { startMs: 36_000, content: { person: 'B', mirrored: true, zoomed: true } },
  {
    startMs: 43_000,
    content: {
      slide: [
        { text: 'Total price: 42 cents', size: 64, x: 150, y: 200 },
        { text: 'Machines running now: 0', size: 48, x: 150, y: 360 },
      ],
      ...{ colour: '#3a1010', background: '#e8d9c4' },
    },
  },
  {
    startMs: 52_000,
    content: {
      slide: [{ text: 'Thank you', size: 90, x: 400, y: 300 }],
      ...{ colour: '#ffe08a', background: '#0d5c3a' },
    },
  },
];
const durationMs = 60_000;

export const talkTruth: Truth = {
  durationMs,
  cutsMs: shots.slice(1).map((shot) => shot.startMs),
  texts: shots.flatMap(({ startMs, content }, index) =>
    'slide' in content ? content.slide.map(({ text }) => ({ text, startMs, endMs: endOf(index) })) : [],
  ),
  persons: shots.flatMap(({ startMs, content }, index) =>
    'person' in content ? [{ person: content.person, startMs, endMs: endOf(index) }] : [],
  ),
  speech: speechStartsMs.map((startMs) => ({ text: words, startMs, endMs: startMs + speechMs })),
};

function endOf(index: number): number {
  return shots[index + 1]?.startMs ?? durationMs;
}

export interface Size {
  width: number;
  height: number;
  fps: number;
}

/** The film's pictures from `fromMs` to `toMs`, timed from 0. People move slowly sideways. */
export async function* talkPictures(
  material: RawMaterial,
  fontPath: string,
  { width, height, fps }: Size,
  fromMs = 0,
  toMs = durationMs,
): AsyncGenerator<{ tMs: number; rgb: Buffer }> {
  let shown: { index: number; still: Still } | undefined;
  for (let number = Math.ceil((fromMs * fps) / 1000); (number * 1000) / fps < toMs; number++) {
    const tMs = Math.round((number * 1000) / fps);
    const index = shots.findLastIndex((shot) => shot.startMs <= tMs);
    if (shown?.index !== index) {
      shown = { index, still: await still(shots[index]!.content, material, fontPath, width, height) };
    }
    const share = (tMs - shots[index]!.startMs) / (endOf(index) - shots[index]!.startMs);
    const x = Math.round(share * (shown.still.width - width));
    yield { tMs: tMs - fromMs, rgb: window(shown.still, x, width) };
  }
}

async function still(
  content: Content,
  material: RawMaterial,
  fontPath: string,
  width: number,
  height: number,
): Promise<Still> {
  if ('slide' in content) {
    return toStill(await textPicture(fontPath, content.slide, { width, height, ...content }));
  }
  return toStill(personPicture(material, content).resize(Math.round(width * 1.06), height, { fit: 'cover' }));
}

/** Head and shoulders of one of two persons. */
export function personPicture(
  { photos }: RawMaterial,
  { person, mirrored, zoomed }: { person: 'A' | 'B'; mirrored: boolean; zoomed: boolean },
) {
  const [photo, left, top] = person === 'A' ? [photos[0], 1240, 130] : [photos[1], 1270, 340];
  const area = zoomed
    ? { left: left + 60, top: top + (person === 'A' ? 20 : 45), width: 560, height: 315 }
    : { left, top, width: 650, height: 366 };
  const picture = crop(photo, area);
  return mirrored ? picture.flop().modulate({ brightness: 1.1 }) : picture;
}

/** The film's sound: silence with the recording in it wherever somebody speaks. */
export function talkSound(
  speech: Float32Array,
  sampleRate: number,
  fromMs = 0,
  toMs = durationMs,
): Float32Array {
  const sound = new Float32Array((durationMs * sampleRate) / 1000);
  for (const startMs of speechStartsMs) {
    sound.set(speech.subarray(0, (speechMs * sampleRate) / 1000), (startMs * sampleRate) / 1000);
  }
  return sound.slice((fromMs * sampleRate) / 1000, (toMs * sampleRate) / 1000);
}
