/** The real analyzers on threads: what they find, and what becomes of them when they are stopped. */
import { beforeAll, describe, expect, test } from 'vitest';
import type { ResultRow } from '../../functions/core/results/rows.ts';
import { modelsOf } from '../../gpu-worker/analyzers/analyzer.ts';
import { objects } from '../../gpu-worker/analyzers/objects.ts';
import { scenes } from '../../gpu-worker/analyzers/scenes.ts';
import { ensureModels } from '../../gpu-worker/models/ensure-models.ts';
import { leastMeans } from '../../gpu-worker/models/means.ts';
import { modelsDir } from '../../gpu-worker/models/model-folder.ts';
import { openModelStore } from '../../gpu-worker/models/open-store.ts';
import { shareThreads } from '../../gpu-worker/pipeline/threads/share.ts';
import { type AnalysisThreads, openThreads } from '../../gpu-worker/pipeline/threads.ts';
import { type AnalysisOptions, analyzeMedium } from '../../gpu-worker/pipeline.ts';
import { type TestMedia, testMedia } from '../media/test-media.ts';

const dir = modelsDir(process.env);
const chosen = [objects, scenes];
const models = openModelStore({ dir, threads: 1 });
let media: TestMedia;
beforeAll(async () => {
  media = await testMedia();
  await ensureModels(modelsOf(objects, leastMeans), { dir });
}, 240_000);

async function onThreads<T>(work: (threads: AnalysisThreads) => Promise<T>): Promise<T> {
  const threads = openThreads({ modelsDir: dir, threads: 2, device: 'cpu', means: leastMeans });
  try {
    return await work(threads);
  } finally {
    await threads.close();
  }
}

async function analyze(path: string, change: Partial<AnalysisOptions>) {
  const rows: ResultRow[] = [];
  const pictures: string[] = [];
  const analysis = await analyzeMedium({
    ...{ source: { path }, analyzers: chosen, models, language: null, threads: 2 },
    signal: new AbortController().signal,
    async savePicture(name, bytes) {
      expect(bytes.length).toBeGreaterThan(0);
      pictures.push(name);
      return `kept/${name}`;
    },
    async onPart(_, part) {
      rows.push(...part.rows);
    },
    ...change,
  });
  const found = rows.map((row) => JSON.stringify(row)).toSorted();
  return {
    found,
    pictures: pictures.toSorted(),
    outcomes: analysis.analyzers.map(({ outcome }) => outcome.status),
  };
}

describe('analyzers on threads', () => {
  test('find what they find on one', async () => {
    const here = await analyze(media.clip, {});
    const there = await onThreads((threads) => analyze(media.clip, { analyzers: threads.spread(chosen) }));
    expect(there).toEqual(here);
    expect(there.pictures.length).toBeGreaterThan(0);
    expect(there.found.join()).toContain('kept/');
  }, 180_000);

  test('tell what it took to open their models, once', async () => {
    await onThreads(async (threads) => {
      const analyzers = threads.spread([objects]);
      await analyze(media.jpeg, { analyzers });
      const [loading, ...others] = threads.takeLoading();
      expect(others).toEqual([]);
      expect(loading).toMatchObject({ id: 'centernet-coco80', file: 'centernet.onnx' });
      expect(loading!.openMs).toBeGreaterThan(0);
      expect(loading!.firstRunMs).toBeGreaterThan(0);
      await analyze(media.jpeg, { analyzers });
      expect(threads.takeLoading()).toEqual([]);
    });
  }, 120_000);

  test('end when the analysis is aborted, and are there for the next', async () => {
    await onThreads(async (threads) => {
      const abort = new AbortController();
      const aborted = analyze(media.talk, {
        analyzers: threads.spread(chosen),
        signal: abort.signal,
        onPart: async () => abort.abort(new Error('enough')),
      });
      await expect(aborted).rejects.toThrow('enough');
      const next = await analyze(media.jpeg, { analyzers: threads.spread([objects]) });
      expect(next.outcomes).toEqual(['ok']);
    });
  }, 180_000);

  test('fail alone where a picture cannot be kept', async () => {
    await onThreads(async (threads) => {
      const { outcomes } = await analyze(media.clip, {
        analyzers: threads.spread(chosen),
        savePicture: () => Promise.reject(new Error('no room')),
      });
      expect(outcomes).toEqual(['ok', 'failed']);
    });
  }, 120_000);

  test('are ended in the middle of their work, and the process can go', async () => {
    const threads = openThreads({ modelsDir: dir, threads: 2, device: 'cpu', means: leastMeans });
    let closing: Promise<void> | undefined;
    const running = analyze(media.talk, {
      analyzers: threads.spread([objects]),
      onProgress() {
        closing ??= threads.close();
      },
    });
    expect((await running).outcomes).toEqual(['failed']);
    await closing;
  }, 120_000);

  test('that are not there cannot be started', async () => {
    await onThreads(async (threads) => {
      const { outcomes } = await analyze(media.jpeg, {
        analyzers: threads.spread([{ ...objects, name: 'nothing' }]),
      });
      expect(outcomes).toEqual(['failed']);
    });
  });

  test('fail when their thread ends, and the next gets a new one', async () => {
    await onThreads(async (threads) => {
      const analyzers = threads.spread([objects]);
      let closing: Promise<void> | undefined;
      const broken = await analyze(media.talk, {
        analyzers,
        onPart: async () => {
          closing ??= threads.close();
          await closing;
        },
      });
      expect(broken.outcomes).toEqual(['failed']);
      expect((await analyze(media.jpeg, { analyzers })).outcomes).toEqual(['ok']);
    });
  }, 180_000);
});

describe('threads are shared', () => {
  test('by cost: the costliest alone, the others together', () => {
    expect(shareThreads([0.1, 0.4, 0.12, 0.21], 2)).toEqual([1, 0, 1, 1]);
  });
  test('one for each where there are enough', () => {
    expect(new Set(shareThreads([1, 1, 1], 3)).size).toBe(3);
  });
  test('one for all where there is one', () => {
    expect(shareThreads([1, 2, 3], 1)).toEqual([0, 0, 0]);
  });
});
