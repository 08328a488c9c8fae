import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { boxBetween, iou, suppress } from '../../functions/core/results/boxes.ts';
import type { Box } from '../../functions/core/results/rows.ts';
import { type Sighting, type Track, Tracker, type TrackPart } from '../../gpu-worker/analyzers/tracks.ts';

const maxGapMs = 1500;

function tracker(resumed: Track<Sighting>[] = []) {
  return new Tracker<Sighting>({
    prefix: 't',
    affinity: (last, next) => {
      const overlap = iou(last.box, next.box);
      return overlap >= 0.25 ? overlap : 0;
    },
    maxGapMs,
    sightingMs: 500,
    sureConfidence: 0.5,
    resumed,
  });
}

const seen = (tMs: number, x: number, confidence = 0.9): Sighting => ({
  tMs,
  box: { x, y: 0.2, w: 0.1, h: 0.3 },
  confidence,
});

const summary = (parts: TrackPart<Sighting>[]) =>
  parts.map(({ track, startMs, endMs, sightings }) => [track.id, startMs, endMs, sightings.length]);

describe('tracks', () => {
  test('two things that pass each other keep their ids', () => {
    const tracks = tracker();
    for (let i = 0; i <= 10; i++) {
      const lower = seen(i * 500, 0.1 + i * 0.05);
      const upper = seen(i * 500, 0.7 - i * 0.05);
      upper.box.y = 0.6;
      tracks.add(i * 500, i % 2 ? [lower, upper] : [upper, lower]);
    }
    const parts = tracks.takeRest(5500);
    expect(summary(parts)).toEqual([
      ['t1', 0, 5500, 11],
      ['t2', 0, 5500, 11],
    ]);
    for (const part of parts) {
      expect(new Set(part.sightings.map((sighting) => sighting.box.y)).size).toBe(1);
    }
  });

  test('a gap is bridged up to its limit and no further', () => {
    const tracks = tracker();
    for (const tMs of [0, maxGapMs, 2 * maxGapMs + 1]) tracks.add(tMs, [seen(tMs, 0.5)]);
    expect(summary(tracks.takeRest(10_000))).toEqual([
      ['t1', 0, 2000, 2],
      ['t2', 3001, 3501, 1],
    ]);
  });

  test('what flickers up once and weakly is never shown, once and surely it is', () => {
    const tracks = tracker();
    tracks.add(0, [seen(0, 0.1, 0.4), seen(0, 0.5, 0.6)]);
    tracks.add(500, []);
    expect(summary(tracks.takeRest(1000))).toEqual([['t2', 0, 500, 1]]);
  });

  test('nothing is final while it may still be dropped', () => {
    const tracks = tracker();
    tracks.add(0, [seen(0, 0.1)]);
    tracks.add(1000, [seen(1000, 0.1), seen(1000, 0.5, 0.4)]);
    expect(tracks.finalUntil(1400)).toBe(1000);
    tracks.add(1500, [seen(1500, 0.5, 0.4)]);
    expect(tracks.finalUntil(2000)).toBe(2000);
  });

  test('a part ends where it is said to end, and the track goes on in the next', () => {
    const tracks = tracker();
    for (let tMs = 0; tMs <= 2000; tMs += 500) tracks.add(tMs, [seen(tMs, 0.5)]);
    expect(summary(tracks.take(1200))).toEqual([['t1', 0, 1200, 3]]);
    expect(summary(tracks.takeRest(2300))).toEqual([['t1', 1500, 2300, 2]]);
  });

  test('a still picture is one frame at 0', () => {
    const tracks = new Tracker<Sighting>({
      ...{ prefix: 't', affinity: () => 0, maxGapMs, sightingMs: 0, sureConfidence: 0, resumed: [] },
    });
    tracks.add(0, [seen(0, 0.1, 0.3), seen(0, 0.5, 0.3)]);
    expect(summary(tracks.takeRest(0))).toEqual([
      ['t1', 0, 0, 1],
      ['t2', 0, 0, 1],
    ]);
  });

  test('whatever is seen: parts never overlap, and parts or not, the tracks are the same', () => {
    const step = fc.record({
      waitMs: fc.integer({ min: 1, max: 1200 }),
      things: fc.array(
        fc.record({
          x: fc.double({ min: 0, max: 0.9, noNaN: true }),
          confidence: fc.double({ min: 0.3, max: 1, noNaN: true }),
        }),
        { maxLength: 4 },
      ),
      drains: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 25 }), (steps) => {
        const [whole, inParts] = [tracker(), tracker()];
        const parts: TrackPart<Sighting>[] = [];
        let [nowMs, toMs] = [0, 0];
        for (const { waitMs, things, drains } of steps) {
          nowMs += waitMs;
          const sightings = things.map(({ x, confidence }) => seen(nowMs, x, confidence));
          whole.add(nowMs, sightings);
          inParts.add(nowMs, sightings);
          if (!drains) continue;
          const finalMs = inParts.finalUntil(nowMs);
          expect(finalMs).toBeGreaterThanOrEqual(toMs);
          for (const part of inParts.take(finalMs)) {
            expect(part.startMs).toBeGreaterThanOrEqual(toMs);
            expect(part.endMs).toBeLessThanOrEqual(finalMs);
            expect(part.endMs).toBeGreaterThan(part.startMs);
            parts.push(part);
          }
          toMs = finalMs;
        }
        parts.push(...inParts.takeRest(nowMs + 500));
        const flat = (all: TrackPart<Sighting>[]) =>
          all
            .flatMap(({ track, sightings }) => sightings.map(({ tMs, box }) => `${track.id} ${tMs} ${box.x}`))
            .sort();
        expect(flat(parts)).toEqual(flat(whole.takeRest(nowMs + 500)));
      }),
    );
  });

  test('saved tracks go on under their ids, and no id is given twice', () => {
    const saved = (id: string, tMs: number, x: number): Track<Sighting> => ({
      ...{ id, last: seen(tMs, x), count: 2, confidence: 0.9, sightings: [] },
    });
    const tracks = tracker([saved('t7', 900, 0.5), saved('t7', 400, 0.1), saved('t3', 800, 0.8)]);
    tracks.add(1000, [seen(1000, 0.5), seen(1000, 0.1), seen(1000, 0.8)]);
    expect(summary(tracks.takeRest(1500))).toEqual([
      ['t7', 1000, 1500, 1],
      ['t3', 1000, 1500, 1],
      ['t8', 1000, 1500, 1],
    ]);
  });
});

describe('boxes', () => {
  const box = fc
    .tuple(...Array.from({ length: 4 }, () => fc.double({ min: -0.5, max: 1.5, noNaN: true })))
    .map(
      ([a, b, c, d]): Box =>
        boxBetween(Math.min(a!, b!), Math.min(c!, d!), Math.max(a!, b!), Math.max(c!, d!)),
    );

  test('are cut to the picture', () => {
    fc.assert(
      fc.property(box, ({ x, y, w, h }) => {
        for (const value of [x, y, w, h, x + w, y + h]) {
          expect(value).toBeGreaterThanOrEqual(0);
          expect(value).toBeLessThanOrEqual(1);
        }
      }),
    );
  });

  test('overlap by as much as a count of cells says', () => {
    const cells = fc.tuple(...Array.from({ length: 4 }, () => fc.integer({ min: 0, max: 10 })));
    fc.assert(
      fc.property(cells, cells, (a, b) => {
        const covers =
          ([x, y, w, h]: number[]) =>
          (cx: number, cy: number) =>
            cx >= x! && cx < x! + w! && cy >= y! && cy < y! + h!;
        let [both, either] = [0, 0];
        for (let cx = 0; cx < 20; cx++) {
          for (let cy = 0; cy < 20; cy++) {
            const [inA, inB] = [covers(a)(cx, cy), covers(b)(cx, cy)];
            if (inA && inB) both++;
            if (inA || inB) either++;
          }
        }
        const toBox = ([x, y, w, h]: number[]): Box => ({ x: x! / 20, y: y! / 20, w: w! / 20, h: h! / 20 });
        expect(iou(toBox(a), toBox(b))).toBeCloseTo(either ? both / either : 0, 6);
      }),
    );
  });

  test('suppression keeps the best, nothing twice, and drops only what repeats something better', () => {
    const detection = fc.record({ box, confidence: fc.double({ min: 0, max: 1, noNaN: true }) });
    const repeats = (a: { box: Box }, b: { box: Box }) => iou(a.box, b.box) >= 0.5;
    fc.assert(
      fc.property(fc.array(detection), (detections) => {
        const kept = suppress(detections, repeats);
        kept.forEach((one, i) => {
          for (const other of kept.slice(i + 1)) {
            expect(repeats(one, other)).toBe(false);
            expect(one.confidence).toBeGreaterThanOrEqual(other.confidence);
          }
        });
        for (const dropped of detections.filter((one) => !kept.includes(one))) {
          expect(kept.some((one) => repeats(one, dropped) && one.confidence >= dropped.confidence)).toBe(
            true,
          );
        }
      }),
    );
  });
});
