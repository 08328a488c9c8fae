/**
 * A film whose shots and the ways from one to the next are known: hard cuts, dissolves and fades through
 * black between slow pans over photographs, with the noise of a camera.
 */
import path from 'node:path';
import { FF_ENCODER_LIBX264 } from 'node-av/constants';
import sharp from 'sharp';
import { encode } from '../../tests/media/encode.ts';
import { window } from '../../tests/media/stills.ts';
import type { Photograph } from './photographs.ts';

const WIDTH = 640;
const HEIGHT = 360;
const FPS = 25;
const FRAME_MS = 1000 / FPS;
const SHOT_MS = 3_000;
const GRADUAL_MS = 800;

type Way = 'cut' | 'dissolve' | 'fade';
/** How each shot goes over into the next one. */
const ways: readonly Way[] = [
  ...([
    'cut',
    'dissolve',
    'cut',
    'fade',
    'cut',
    'cut',
    'dissolve',
    'cut',
    'fade',
    'cut',
    'dissolve',
  ] as const),
  ...(['cut', 'fade', 'cut', 'cut', 'dissolve', 'cut', 'fade', 'cut'] as const),
];

export interface CutFilm {
  file: string;
  /** The middle of each change. */
  changes: { atMs: number; way: Way }[];
}

/** A minute of 640 × 360. */
export async function cutFilm(photos: readonly Photograph[], folder: string): Promise<CutFilm> {
  const wide = Math.round(WIDTH * 1.15);
  const stills = await Promise.all(
    [...ways, null].map(async (_, shot) => {
      const photo = photos[shot % photos.length]!;
      const [x, y] = photo.faces[Math.floor(shot / photos.length) % photo.faces.length]!;
      const { width, height } = await sharp(photo.bytes).metadata();
      const across = Math.round(width * (shot % 2 ? 0.9 : 0.5));
      const down = Math.round((across * HEIGHT) / wide);
      const within = (middle: number, length: number, most: number) =>
        Math.min(Math.max(Math.round(middle - length / 2), 0), most - length);
      const rgb = await sharp(photo.bytes)
        .extract({
          left: within(x * width, across, width),
          top: within(y * height, down, height),
          width: across,
          height: down,
        })
        .resize(wide, HEIGHT, { fit: 'fill' })
        .removeAlpha()
        .raw()
        .toBuffer();
      return { width: wide, height: HEIGHT, rgb };
    }),
  );
  const view = (shot: number, tMs: number) => {
    const share = Math.min(Math.max((tMs - shot * SHOT_MS) / SHOT_MS, 0), 1);
    const still = stills[shot]!;
    return window(still, Math.round(share * (still.width - WIDTH)), WIDTH);
  };
  async function* frames() {
    let noise = 1;
    for (let number = 0; number * FRAME_MS < stills.length * SHOT_MS; number++) {
      const tMs = number * FRAME_MS;
      const picture = frameAt(tMs, view);
      for (let i = 0; i < picture.length; i++) {
        noise = (Math.imul(noise, 1664525) + 1013904223) >>> 0;
        picture[i] = Math.min(255, Math.max(0, picture[i]! + ((noise >>> 24) % 9) - 4));
      }
      yield { tMs, rgb: picture };
    }
  }
  const file = path.join(folder, 'cuts.mp4');
  await encode(file, {
    picture: {
      codec: FF_ENCODER_LIBX264,
      options: { preset: 'veryfast', crf: '23' },
      ...{ width: WIDTH, height: HEIGHT, fps: FPS },
      frames: frames(),
    },
  });
  return { file, changes: ways.map((way, shot) => ({ way, atMs: (shot + 1) * SHOT_MS })) };
}

function frameAt(tMs: number, view: (shot: number, tMs: number) => Buffer): Buffer {
  const nearest = Math.round(tMs / SHOT_MS);
  const sinceMs = tMs - nearest * SHOT_MS;
  const way = ways[nearest - 1];
  if (way === undefined || way === 'cut' || Math.abs(sinceMs) >= GRADUAL_MS / 2) {
    return view(Math.min(Math.floor(tMs / SHOT_MS), ways.length), tMs);
  }
  const share = sinceMs / GRADUAL_MS + 0.5;
  if (way === 'dissolve') return mix(view(nearest - 1, tMs), 1 - share, view(nearest, tMs), share);
  const shot = sinceMs < 0 ? nearest - 1 : nearest;
  return mix(view(shot, tMs), Math.abs(share - 0.5) * 2, view(shot, tMs), 0);
}

const mix = (a: Buffer, aShare: number, b: Buffer, bShare: number) =>
  Buffer.from(a.map((value, i) => value * aShare + b[i]! * bShare));
