/** A lane that gets pictures and sound: what is final is what both have reached. */
import { describe, expect, it } from 'vitest';
import type { Analyzer } from '../../gpu-worker/analyzers/analyzer.ts';
import { signals } from '../../gpu-worker/analyzers/signals.ts';
import { startLane } from '../../gpu-worker/pipeline/lane.ts';
import { analyzeMedium } from '../../gpu-worker/pipeline.ts';
import { testMedia } from '../media/test-media.ts';
import { noModels } from './no-models.ts';

const frame = (tMs: number) => ({ tMs, width: 1, height: 1, data: new Uint8Array(3) });
const sound = (startMs: number) => ({ type: 'pcm' as const, samples: new Float32Array(8000), startMs });

/** Takes pictures and sound, and notes up to when it was asked for what is final, and what it had by then. */
function listening() {
  const asked: { nowMs: number; seenMs: number; heardMs: number }[] = [];
  const analyzer: Analyzer = {
    ...signals,
    async start({ fromMs, durationMs }) {
      let [seenMs, heardMs] = [fromMs, fromMs];
      return {
        async onFrame({ tMs }) {
          seenMs = tMs;
        },
        async onPcm(samples, startMs) {
          heardMs = startMs + samples.length / 16;
        },
        async drain(nowMs) {
          asked.push({ nowMs, seenMs, heardMs });
          return { toMs: nowMs, rows: [] };
        },
        async finish() {
          return { toMs: durationMs, rows: [], outcome: { status: 'ok', reason: null } };
        },
        async dispose() {},
      };
    },
  };
  return { analyzer, asked };
}

function laneOf(analyzer: Analyzer, isFedByBoth: boolean) {
  return startLane({
    ...{ analyzer, isFedByBoth, onPart: async () => {} },
    context: {
      ...{ models: noModels, kind: 'video', durationMs: 60_000, fromMs: 0, saved: [], language: null },
      ...{ threads: 1, signal: new AbortController().signal, savePicture: async (name) => name },
    },
  });
}

describe('what is asked for', () => {
  it('lies before what either is still to come', async () => {
    const { analyzer, asked } = listening();
    const lane = laneOf(analyzer, true);
    for (let tMs = 0; tMs < 40_000; tMs += 500) {
      // Now the one, now the other is up to 3 s ahead.
      const aheadMs = tMs % 12_000 < 6000 ? 3000 : -3000;
      await lane.push(frame(tMs + Math.max(0, aheadMs)));
      if (tMs + Math.min(0, aheadMs) >= 0) await lane.push(sound(tMs + Math.min(0, aheadMs)));
    }
    await lane.end();
    expect(asked.length).toBeGreaterThan(2);
    for (const { nowMs, seenMs, heardMs } of asked) {
      expect(nowMs).toBeLessThanOrEqual(Math.min(seenMs, heardMs));
    }
  });

  it('goes on where one of them has ended, ten seconds behind the other', async () => {
    for (const ended of ['sound', 'pictures']) {
      const { analyzer, asked } = listening();
      const lane = laneOf(analyzer, true);
      for (let tMs = 0; tMs < 60_000; tMs += 500) {
        if (ended !== 'pictures' || tMs < 5000) await lane.push(frame(tMs));
        if (ended !== 'sound' || tMs < 5000) await lane.push(sound(tMs));
      }
      await lane.end();
      const late = asked.filter(({ nowMs }) => nowMs > 5500);
      expect(late.length).toBeGreaterThan(2);
      for (const { nowMs, seenMs, heardMs } of late) expect(nowMs).toBe(Math.max(seenMs, heardMs) - 10_000);
    }
  });

  it('waits for nothing that does not come', async () => {
    const { analyzer, asked } = listening();
    const lane = laneOf(analyzer, false);
    for (let tMs = 0; tMs < 30_000; tMs += 500) await lane.push(frame(tMs));
    await lane.end();
    expect(asked.map(({ nowMs, seenMs }) => nowMs - seenMs)).toEqual([0, 0, 0]);
  });
});

it('of a real film is what lies before both, of one without sound before its pictures', async () => {
  const media = await testMedia();
  const run = async (path: string) => {
    const { analyzer, asked } = listening();
    await analyzeMedium({
      ...{ source: { path }, analyzers: [analyzer], models: noModels, language: null, threads: 2 },
      ...{ signal: new AbortController().signal, savePicture: async (name) => name, onPart: async () => {} },
    });
    return asked;
  };
  const both = await run(media.talk);
  expect(both.length).toBeGreaterThan(4);
  for (const { nowMs, seenMs, heardMs } of both) expect(nowMs).toBe(Math.min(seenMs, Math.floor(heardMs)));
  const [first] = await run(media.silent);
  expect(first!.nowMs).toBe(first!.seenMs);
}, 240_000);
