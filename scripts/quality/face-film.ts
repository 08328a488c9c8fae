/**
 * A film of people whose identity is known by construction: each face of six photographs is shown in
 * three shots, as it is, mirrored in less light, and small in a wider view. Who of two photographs may
 * be the same person nobody says, so only faces out of one photograph are compared.
 */
import path from 'node:path';
import { FF_ENCODER_LIBX264 } from 'node-av/constants';
import sharp from 'sharp';
import { encode } from '../../tests/media/encode.ts';
import type { Photograph } from './photographs.ts';

export interface FaceShot {
  photograph: string;
  startMs: number;
  endMs: number;
  /** The middles of all faces of the photograph in the frame, by their identity. */
  faces: { identity: string; x: number; y: number }[];
}

const WIDTH = 1280;
const HEIGHT = 720;
const FPS = 4;
const SHOT_MS = 1_000;

const views = [
  { widthShare: 0.32, mirrored: false, light: 1 },
  { widthShare: 0.4, mirrored: true, light: 0.8 },
  { widthShare: 0.75, mirrored: false, light: 1.1 },
];

/** One second for each shot; those of one face stand far apart. */
export async function faceFilm(photos: readonly Photograph[], folder: string) {
  const shots: (FaceShot & { rgb: Buffer })[] = [];
  for (const view of views) {
    for (const photograph of photos) {
      for (const middle of photograph.faces) {
        const startMs = shots.length * SHOT_MS;
        const shot = await shoot(photograph, middle, view);
        shots.push({ photograph: photograph.name, startMs, endMs: startMs + SHOT_MS, ...shot });
      }
    }
  }
  const file = path.join(folder, 'faces.mp4');
  await encode(file, {
    picture: {
      codec: FF_ENCODER_LIBX264,
      options: { preset: 'veryfast', crf: '20' },
      ...{ width: WIDTH, height: HEIGHT, fps: FPS },
      frames: frames(shots),
    },
  });
  return { file, shots: shots.map(({ rgb: _, ...shot }): FaceShot => shot) };
}

async function* frames(shots: readonly (FaceShot & { rgb: Buffer })[]) {
  for (const { startMs, rgb } of shots) {
    for (let tMs = startMs; tMs < startMs + SHOT_MS; tMs += 1000 / FPS) yield { tMs, rgb };
  }
}

async function shoot(
  photograph: Photograph,
  [x, y]: readonly [number, number],
  { widthShare, mirrored, light }: (typeof views)[number],
) {
  const { width, height } = await sharp(photograph.bytes).metadata();
  const across = Math.round(width * widthShare);
  const down = Math.min(height, Math.round((across * HEIGHT) / WIDTH));
  const left = clamp(Math.round(x * width - across / 2), width - across);
  const top = clamp(Math.round(y * height - down / 2), height - down);
  const view = sharp(photograph.bytes)
    .extract({ left, top, width: across, height: down })
    .resize(WIDTH, HEIGHT, { fit: 'fill' })
    .modulate({ brightness: light });
  const rgb = await (mirrored ? view.flop() : view).removeAlpha().raw().toBuffer();
  const faces = photograph.faces.flatMap(([fx, fy], number) => {
    const inView = [(fx * width - left) / across, (fy * height - top) / down] as const;
    if (inView.some((value) => value < 0 || value > 1)) return [];
    const identity = `${photograph.name} ${number}`;
    return [{ identity, x: mirrored ? 1 - inView[0] : inView[0], y: inView[1] }];
  });
  return { rgb, faces };
}

const clamp = (value: number, most: number) => Math.min(Math.max(value, 0), most);
