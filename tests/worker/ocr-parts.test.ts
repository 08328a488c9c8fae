import { describe, expect, test } from 'vitest';
import type { TextRow } from '../../functions/core/results/rows.ts';
import { hasChanged, thumbnail } from '../../gpu-worker/analyzers/ocr/change.ts';
import { corners, distance, type Quad, smallestRectangle } from '../../gpu-worker/analyzers/ocr/geometry.ts';
import type { Line } from '../../gpu-worker/analyzers/ocr/reading-order.ts';
import { decode, parseDictionary } from '../../gpu-worker/analyzers/ocr/recognizer.ts';
import { findRegions } from '../../gpu-worker/analyzers/ocr/regions.ts';
import { TextTracks } from '../../gpu-worker/analyzers/ocr/tracks.ts';

describe('regions of the detector map', () => {
  /** A map with a bar of probability `p` around a centre, turned by an angle. */
  function bar({ angle, p = 0.9 }: { angle: number; p?: number }) {
    const [width, height, halfLength, halfBreadth] = [320, 320, 90, 10];
    const data = new Float32Array(width * height);
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        const along = (x - 160) * Math.cos(angle) + (y - 160) * Math.sin(angle);
        const across = (y - 160) * Math.cos(angle) - (x - 160) * Math.sin(angle);
        if (Math.abs(along) <= halfLength && Math.abs(across) <= halfBreadth) data[y * width + x] = p;
      }
    }
    return { width, height, data };
  }

  test.each([0, 0.3, -0.5, 0.7])('a bar turned by %d is boxed and grown on all sides', (angle) => {
    const [region, ...others] = findRegions(bar({ angle }));
    expect(others).toEqual([]);
    const [a, b, c, d] = region!.quad;
    // 180 x 20 grows by 180 * 20 * 1.5 / (2 * 200) = 13.5 on each side.
    expect(distance(a, b)).toBeCloseTo(207, -1);
    expect(distance(b, c)).toBeCloseTo(47, -1);
    expect(Math.atan2(b[1] - a[1], b[0] - a[0])).toBeCloseTo(angle, 1);
    for (const i of [0, 1]) expect((a[i]! + b[i]! + c[i]! + d[i]!) / 4).toBeCloseTo(160, -1);
  });

  test('what the detector is not sure of, and specks, are left out', () => {
    expect(findRegions(bar({ angle: 0, p: 0.5 }))).toEqual([]);
    const speck = { width: 32, height: 32, data: new Float32Array(1024) };
    speck.data[500] = 1;
    expect(findRegions(speck)).toEqual([]);
  });

  test('corners begin at the top left', () => {
    const box = smallestRectangle([
      [10, 20],
      [110, 20],
      [110, 50],
      [10, 50],
    ]);
    const expected = [
      [10, 20],
      [110, 20],
      [110, 50],
      [10, 50],
    ];
    corners(box).forEach((corner, i) => {
      expect(corner[0]).toBeCloseTo(expected[i]![0]!);
      expect(corner[1]).toBeCloseTo(expected[i]![1]!);
    });
  });
});

describe('decoding of the recogniser', () => {
  const dictionary = parseDictionary('a\nb\n（');
  const leastSpace = 0.01;
  /** One row of scores for each step: the class named has `p`, the space what is given, the blank the rest. */
  const scores = (steps: { of: string; p?: number; space?: number }[]) =>
    Float32Array.from(
      steps.flatMap(({ of, p = 0.9, space = 0 }) => {
        const row = new Array<number>(dictionary.length).fill(0);
        row[0] = 1 - p - space;
        row[dictionary.length - 1] = space;
        row[dictionary.indexOf(of)] = p;
        return row;
      }),
    );

  test('joins repeats and keeps what a blank divides', () => {
    const reading = decode(
      scores([{ of: 'a' }, { of: 'a' }, { of: '' }, { of: 'a' }, { of: 'b' }]),
      dictionary,
      leastSpace,
    );
    expect(reading.text).toBe('aab');
    expect(reading.confidence).toBeCloseTo(0.9);
  });

  test('takes a faint space for one, but only one, and none at the ends', () => {
    const steps = [
      { of: '', space: 0.05 },
      { of: 'a' },
      { of: '', p: 0.9, space: 0.05 },
      { of: '', p: 0.9, space: 0.02 },
      { of: 'b' },
      { of: '', space: 0.05 },
    ];
    expect(decode(scores(steps), dictionary, leastSpace).text).toBe('a b');
    // A model that is not shy of spaces means what it says.
    expect(decode(scores(steps), dictionary, Infinity).text).toBe('ab');
  });

  test('writes brackets outside Chinese text as usual', () => {
    expect(decode(scores([{ of: '（' }, { of: 'a' }]), dictionary, leastSpace).text).toBe('(a');
  });

  test('of nothing is nothing', () => {
    expect(decode(scores([{ of: '' }]), dictionary, leastSpace)).toEqual({ text: '', confidence: 0 });
  });
});

describe('texts over time', () => {
  const at = (x: number, y: number): Quad => [
    [x, y],
    [x + 0.3, y],
    [x + 0.3, y + 0.05],
    [x, y + 0.05],
  ];
  const line = (text: string, confidence = 0.9, quad = at(0.1, 0.1)): Line => ({ text, confidence, quad });
  const brief = (rows: TextRow[]) =>
    rows.map(({ textId, text, startMs, endMs }) => [textId, text, startMs, endMs]);

  test('the most confident reading wins', () => {
    const tracks = new TextTracks([], 0);
    tracks.see(0, [line('Helo world', 0.7)]);
    tracks.see(1_000, [line('Hello world', 0.95)]);
    tracks.see(2_000, [line('Hel1o world', 0.8)]);
    tracks.see(3_000, []);
    expect(brief(tracks.take(9_000))).toEqual([['o1', 'Hello world', 0, 3_000]]);
  });

  test('another text in the same place is another text', () => {
    const tracks = new TextTracks([], 0);
    tracks.see(0, [line('Hello world')]);
    tracks.see(1_000, [line('Good night')]);
    expect(brief(tracks.take(5_000))).toEqual([
      ['o1', 'Hello world', 0, 1_000],
      ['o2', 'Good night', 1_000, 5_000],
    ]);
  });

  test('the same words in two places are two texts', () => {
    const tracks = new TextTracks([], 0);
    const both = [line('Open', 0.9, at(0.1, 0.1)), line('Open', 0.9, at(0.1, 0.6))];
    tracks.see(0, both);
    tracks.see(1_000, both.toReversed());
    expect(brief(tracks.take(2_000))).toEqual([
      ['o1', 'Open', 0, 2_000],
      ['o2', 'Open', 0, 2_000],
    ]);
  });

  test('a text that moves is followed', () => {
    const tracks = new TextTracks([], 0);
    for (const i of [0, 1, 2]) {
      tracks.see(i * 1_000, [line('Directed by Somebody', 0.9, at(0.1, 0.8 - 0.2 * i))]);
    }
    expect(brief(tracks.take(3_000))).toEqual([['o1', 'Directed by Somebody', 0, 3_000]]);
  });

  test('a text missed for a moment lasts on; until that is known nothing is final', () => {
    const tracks = new TextTracks([], 0);
    tracks.see(0, [line('Exit')]);
    tracks.see(1_000, []);
    expect(tracks.finalMs(2_000)).toBe(1_000);
    expect(brief(tracks.take(1_000))).toEqual([['o1', 'Exit', 0, 1_000]]);
    tracks.see(3_000, [line('Exit')]);
    expect(tracks.finalMs(3_000)).toBe(3_000);
    expect(brief(tracks.take(4_000))).toEqual([['o1', 'Exit', 1_000, 4_000]]);
  });

  test('one that stays away is another when it comes back', () => {
    const tracks = new TextTracks([], 0);
    tracks.see(0, [line('Exit')]);
    tracks.see(1_000, []);
    tracks.see(5_000, [line('Exit')]);
    expect(tracks.finalMs(6_000)).toBe(6_000);
    expect(brief(tracks.take(6_000))).toEqual([
      ['o1', 'Exit', 0, 1_000],
      ['o2', 'Exit', 5_000, 6_000],
    ]);
  });

  test('goes on from saved rows, with the next free id', () => {
    const before = new TextTracks([], 0);
    before.see(0, [line('Gone long ago', 0.9, at(0.5, 0.9)), line('Exit')]);
    before.see(1_000, [line('Exit')]);
    const saved = before.take(4_000);
    const after = new TextTracks(saved, 4_000);
    after.see(4_500, [line('Exit'), line('Entry', 0.9, at(0.5, 0.5))]);
    expect(brief(after.take(6_000))).toEqual([
      ['o2', 'Exit', 4_000, 6_000],
      ['o3', 'Entry', 4_500, 6_000],
    ]);
  });
});

describe('changes of the picture', () => {
  function picture(draw: (x: number, y: number) => number) {
    const [width, height] = [640, 360];
    const data = Uint8Array.from({ length: width * height * 3 }, (_, i) => {
      const pixel = Math.floor(i / 3);
      return draw(pixel % width, Math.floor(pixel / width));
    });
    return thumbnail({ tMs: 0, width, height, data });
  }

  test('a word that appears is one; compression noise is none', async () => {
    const plain = await picture(() => 200);
    const noisy = await picture((x, y) => 200 + ((x * 7 + y * 13) % 9) - 4);
    const word = await picture((x, y) => (x > 100 && x < 150 && y > 300 && y < 315 && x % 4 < 2 ? 20 : 200));
    expect(hasChanged(plain, noisy)).toBe(false);
    expect(hasChanged(plain, word)).toBe(true);
    expect(hasChanged(plain, plain.slice(1))).toBe(true);
  });
});
