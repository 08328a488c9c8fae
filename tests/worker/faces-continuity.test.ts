import { describe, expect, test } from 'vitest';
import { continuity } from '../../gpu-worker/analyzers/faces/continuity.ts';
import { ShotCounter } from '../../gpu-worker/analyzers/faces/shots.ts';

/** A face whose vector has the given cosine with that of `face({})`. */
function face({ cosine = 1, x = 0.4, shot = 0 }) {
  return {
    ...{ tMs: 0, confidence: 0.99, landmarks: [], quality: 0.8, shot },
    box: { x, y: 0.3, w: 0.2, h: 0.3 },
    embedding: Float32Array.of(cosine, Math.sqrt(1 - cosine ** 2)),
  };
}

describe('a face goes on', () => {
  test.each([
    ['at its place, turned away', { cosine: 0.6 }, true],
    ['at its place, but somebody else', { cosine: 0.35 }, false],
    ['a little further on', { cosine: 0.7, x: 0.65 }, true],
    ['a little further on, another one', { cosine: 0.6, x: 0.65 }, false],
    ['at the other end of the picture', { cosine: 0.9, x: 0.85 }, false],
    ['over a cut, the same one', { cosine: 0.9, shot: 1 }, true],
    ['over a cut, another one at the same place who looks alike', { cosine: 0.6, shot: 1 }, false],
  ])('%s: %o, %s', (_, next, goesOn) => {
    expect(continuity(face({}), face(next)) > 0).toBe(goesOn);
  });

  test('rather as the one whose place it has than as the one it looks like a little more', () => {
    const next = face({ cosine: 0.9 });
    expect(continuity(face({}), next)).toBeGreaterThan(continuity(face({ cosine: 0.9, x: 0.65 }), next));
  });
});

describe('shots', () => {
  const [width, height] = [160, 90];
  function frame(colour: (x: number, y: number) => number) {
    const data = Uint8Array.from({ length: width * height * 3 }, (_, i) => {
      const pixel = Math.floor(i / 3);
      return colour(pixel % width, Math.floor(pixel / width));
    });
    return { tMs: 0, width, height, data };
  }
  const room = (x: number, y: number) => (x > 60 && x < 100 && y > 20 ? 190 : 60 + y / 2);

  test('go on through noise and slow movement, and end with a cut', () => {
    const shots = new ShotCounter();
    expect(shots.see(frame(room))).toBe(0);
    expect(shots.see(frame((x, y) => room(x, y) + ((x * 7 + y * 13) % 15) - 7))).toBe(0);
    expect(shots.see(frame((x, y) => room(x - 6, y)))).toBe(0);
    const garden = (x: number, y: number) => (y < 40 ? 220 : 90 + x / 4);
    expect(shots.see(frame(garden))).toBe(1);
    expect(shots.see(frame(garden))).toBe(1);
    expect(shots.see(frame(room))).toBe(2);
  });
});
