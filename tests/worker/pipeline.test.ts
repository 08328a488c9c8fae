import { beforeAll, describe, expect, test } from 'vitest';
import type { ResultRow, SegmentRow } from '../../functions/core/results/rows.ts';
import type {
  Analyzer,
  AnalyzerContext,
  AnalyzerSession,
  Feed,
  Part,
} from '../../gpu-worker/analyzers/analyzer.ts';
import { progressOf } from '../../gpu-worker/pipeline/progress.ts';
import { type AnalysisOptions, analyzeMedium } from '../../gpu-worker/pipeline.ts';
import { type TestMedia, testMedia } from '../media/test-media.ts';
import { noModels } from './no-models.ts';

let media: TestMedia;
beforeAll(async () => {
  media = await testMedia();
}, 240_000);

/** What happened to a diarist's session. */
interface Diary {
  frames: { tMs: number; width: number }[];
  samples: number;
  pcmStartMs: number | null;
  disposed: number;
  context: AnalyzerContext | null;
}

const frames = { fps: 5, maxWidth: 160 };

/** An analyzer that writes down what it is fed, as one row for each second. */
function diarist(
  name: string,
  feed: Feed,
  change: Partial<AnalyzerSession> & { start?: () => Promise<void>; kinds?: Analyzer['kinds'] } = {},
): Analyzer & { diary: Diary } {
  const diary: Diary = { frames: [], samples: 0, pcmStartMs: null, disposed: 0, context: null };
  return {
    ...{
      name,
      version: '1',
      kinds: change.kinds ?? ['image', 'audio', 'video'],
      feed,
      models: [],
      cost: 1,
      diary,
    },
    async start(context) {
      await change.start?.();
      diary.context = context;
      let savedToMs = context.fromMs;
      const upTo = (toMs: number): Part => {
        const rows = toMs > savedToMs ? [row(name, savedToMs, toMs)] : [];
        savedToMs = toMs;
        return { toMs, rows };
      };
      return {
        async onFrame({ tMs, width }) {
          diary.frames.push({ tMs, width });
        },
        async onPcm(samples, startMs) {
          diary.pcmStartMs ??= startMs;
          diary.samples += samples.length;
        },
        drain: async (nowMs) => upTo(nowMs),
        finish: async () => ({ ...upTo(context.durationMs), outcome: { status: 'ok', reason: null } }),
        async dispose() {
          diary.disposed++;
        },
        ...change,
      };
    },
  };
}

const row = (text: string, startMs: number, endMs: number): SegmentRow => ({
  ...{ kind: 'segment', startMs, endMs, text, language: 'en', confidence: null, speakerId: null, words: [] },
});

type SavedPart = Part & { fromMs: number };

async function analyze(path: string, analyzers: Analyzer[], change: Partial<AnalysisOptions> = {}) {
  const parts = new Map<string, SavedPart[]>();
  const fractions: number[] = [];
  const analysis = await analyzeMedium({
    ...{ source: { path }, analyzers, models: noModels, language: null, threads: 2 },
    signal: new AbortController().signal,
    savePicture: async (name) => name,
    async onPart(name, part) {
      parts.set(name, [...(parts.get(name) ?? []), part]);
    },
    onProgress: (fraction) => fractions.push(fraction),
    ...change,
  });
  return { analysis, parts, fractions };
}

const outcomes = (analysis: Awaited<ReturnType<typeof analyzeMedium>>) =>
  Object.fromEntries(analysis.analyzers.map(({ name, outcome }) => [name, outcome.status]));

describe('feeding', () => {
  test('one pass gives each analyzer what it asked for', async () => {
    const few = diarist('few', { frames: { fps: 1, maxWidth: 320 } });
    const all = diarist('all', { frames: { fps: 0, maxWidth: 160 } });
    const ear = diarist('ear', { pcm: true });
    const both = diarist('both', { frames, pcm: true });
    const { analysis } = await analyze(media.clip, [few, all, ear, both]);
    expect(few.diary.frames).toHaveLength(12);
    expect(few.diary.frames[1]).toEqual({ tMs: 1000, width: 320 });
    expect(all.diary.frames).toHaveLength(300);
    expect(both.diary.frames).toHaveLength(60);
    expect(ear.diary.samples).toBe(both.diary.samples);
    expect(Math.abs(ear.diary.samples - 12 * 16_000)).toBeLessThan(1_000);
    expect(analysis.medium).toMatchObject({ kind: 'video', durationMs: 12_000 });
    expect(outcomes(analysis)).toEqual({ few: 'ok', all: 'ok', ear: 'ok', both: 'ok' });
    expect(few.diary.context).toMatchObject({ kind: 'video', durationMs: 12_000, fromMs: 0, threads: 1 });
    for (const { diary } of [few, all, ear, both]) expect(diary.disposed).toBe(1);
  });

  test('pictures and recordings too', async () => {
    const eye = diarist('eye', { frames });
    const ear = diarist('ear', { pcm: true });
    await analyze(media.jpeg, [eye]);
    expect(eye.diary.frames).toEqual([{ tMs: 0, width: 160 }]);
    const { parts } = await analyze(media.mp3, [ear]);
    expect(ear.diary.pcmStartMs).toBe(0);
    expect(parts.get('ear')!.at(-1)!.toMs).toBe(10_980);
  });

  test('analyzers work side by side', async () => {
    // Each waits for the other at every frame: one after the other, they would wait for ever.
    const arrivals = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const meet = async (me: number) => {
      arrivals[me]!.resolve();
      await arrivals[1 - me]!.promise;
    };
    const pair = [0, 1].map((me) => diarist(`m${me}`, { frames }, { onFrame: () => meet(me) }));
    const { analysis } = await analyze(media.clip, pair);
    expect(outcomes(analysis)).toEqual({ m0: 'ok', m1: 'ok' });
  });

  test('a slow analyzer holds back the others: no more than the queues hold is decoded ahead', async () => {
    let aheadMax = 0;
    const fast = diarist('fast', { frames: { fps: 0, maxWidth: 1280 } });
    let seen = 0;
    const slow = diarist(
      'slow',
      { frames: { fps: 0, maxWidth: 1280 } },
      {
        async onFrame() {
          seen++;
          // On a busy machine the decoder may be the slowest of all: the other is to get ahead first.
          while (seen === 1 && fast.diary.frames.length < 10)
            await new Promise((later) => setTimeout(later, 2));
          await new Promise((later) => setTimeout(later, 2));
          aheadMax = Math.max(aheadMax, fast.diary.frames.length - seen);
        },
      },
    );
    await analyze(media.clip, [fast, slow]);
    expect(seen).toBe(300);
    // A frame of 640 × 360 has 0.69 MB; a queue has 16 MiB.
    expect(aheadMax).toBeLessThanOrEqual(26);
    expect(aheadMax).toBeGreaterThan(5);
  });
});

describe('saving', () => {
  test('parts join without gaps, the first one soon, then every ten seconds', async () => {
    const eye = diarist('eye', { frames });
    const { parts } = await analyze(media.talk, [eye]);
    const spans = parts.get('eye')!.map(({ fromMs, toMs }) => [fromMs, toMs]);
    expect(spans).toEqual([
      [0, 4_000],
      [4_000, 14_000],
      [14_000, 24_000],
      [24_000, 34_000],
      [34_000, 44_000],
      [44_000, 54_000],
      [54_000, 60_000],
    ]);
  });

  test('an analyzer goes on when its part is saved, not before', async () => {
    const eye = diarist('eye', { frames });
    let saving = false;
    const watched = diarist('watched', { frames }, { onFrame: async () => expect(saving).toBe(false) });
    const { analysis } = await analyze(media.clip, [watched, eye], {
      async onPart(name) {
        if (name !== 'watched') return;
        saving = true;
        await new Promise((later) => setTimeout(later, 20));
        saving = false;
      },
    });
    expect(outcomes(analysis)).toEqual({ watched: 'ok', eye: 'ok' });
  });

  test('what cannot be saved ends the whole analysis with that error', async () => {
    const lost = new Error('the lease is over');
    const [eye, ear] = [diarist('eye', { frames }), diarist('ear', { pcm: true })];
    const run = analyze(media.talk, [eye, ear], {
      async onPart(_, part) {
        if (part.toMs > 10_000) throw lost;
      },
    });
    await expect(run).rejects.toBe(lost);
    expect(eye.diary.frames.length).toBeLessThan(300);
    for (const { diary } of [eye, ear]) expect(diary.disposed).toBe(1);
  });

  test('each analyzer goes on behind its own last part', async () => {
    const saved: ResultRow[] = [row('old', 0, 7_300)];
    const [eye, ear, fresh] = [
      diarist('eye', { frames }),
      diarist('ear', { pcm: true }),
      diarist('fresh', { frames: { fps: 1, maxWidth: 160 } }),
    ];
    const { parts } = await analyze(media.clip, [eye, ear, fresh], {
      resume: { eye: { fromMs: 7_300, saved }, ear: { fromMs: 5_001, saved: [] } },
    });
    expect(eye.diary.frames[0]!.tMs).toBe(7_320);
    expect(eye.diary.context).toMatchObject({ fromMs: 7_300, saved });
    expect(ear.diary.pcmStartMs).toBe(5_001);
    expect(fresh.diary.frames[0]!.tMs).toBe(0);
    expect(parts.get('eye')![0]!.fromMs).toBe(7_300);
    expect(parts.get('ear')![0]!.fromMs).toBe(5_001);
  });

  test('one that had only to finish is finished', async () => {
    const eye = diarist('eye', { frames });
    const { analysis, parts } = await analyze(media.clip, [eye], {
      resume: { eye: { fromMs: 12_000, saved: [] } },
    });
    expect(outcomes(analysis)).toEqual({ eye: 'ok' });
    expect(eye.diary.frames).toEqual([]);
    expect(parts.size).toBe(0);
  });
});

describe('failing', () => {
  const boom = async (): Promise<never> => {
    throw new Error('no luck');
  };

  test.each([
    ['start', { start: boom }],
    ['a frame', { onFrame: boom }],
    ['a part', { drain: boom }],
    ['the end', { finish: boom }],
  ])('an analyzer that fails at %s leaves the others alone', async (_, change) => {
    const [bad, good] = [diarist('bad', { frames }, change), diarist('good', { frames })];
    const { analysis, fractions } = await analyze(media.clip, [bad, good]);
    expect(analysis.analyzers[0]!.outcome).toEqual({
      ...{ status: 'failed', reason: 'The analysis failed: no luck' },
    });
    expect(analysis.analyzers[1]!.outcome.status).toBe('ok');
    expect(good.diary.frames).toHaveLength(60);
    expect(fractions.at(-1)).toBe(1);
  });

  test('a part that goes back in time is a failure', async () => {
    const bad = diarist('bad', { frames }, { drain: async () => ({ toMs: -1, rows: [] }) });
    const { analysis } = await analyze(media.clip, [bad]);
    expect(outcomes(analysis)).toEqual({ bad: 'failed' });
  });

  test('what does not apply is skipped with a sentence', async () => {
    const ear = diarist('ear', { pcm: true }, { kinds: ['audio', 'video'] });
    const eye = diarist('eye', { frames }, { kinds: ['image', 'video'] });
    const of = async (path: string) =>
      (await analyze(path, [ear, eye])).analysis.analyzers.map((a) => a.outcome);
    expect(await of(media.silent)).toEqual([
      { status: 'skipped', reason: 'There is no sound in the file.' },
      { status: 'ok', reason: null },
    ]);
    expect((await of(media.jpeg))[0]).toEqual({
      ...{ status: 'skipped', reason: 'This analysis is not made for a picture.' },
    });
    expect((await of(media.wav))[1]).toEqual({
      ...{ status: 'skipped', reason: 'This analysis is not made for a recording.' },
    });
  });

  test('a medium that cannot be read is refused before any analyzer starts', async () => {
    const eye = diarist('eye', { frames });
    await expect(analyze(media.truncated, [eye])).rejects.toMatchObject({ code: 'broken_media' });
    expect(eye.diary.context).toBeNull();
  });

  test('an aborted analysis ends with the reason and lets go of everything', async () => {
    const abort = new AbortController();
    const reason = new Error('cancelled by its owner');
    const eye = diarist('eye', { frames });
    const stopper = diarist(
      'stopper',
      { frames },
      {
        async onFrame({ tMs }) {
          if (tMs > 2_000) abort.abort(reason);
        },
      },
    );
    await expect(analyze(media.talk, [eye, stopper], { signal: abort.signal })).rejects.toBe(reason);
    for (const { diary } of [eye, stopper]) expect(diary.disposed).toBe(1);
    expect(eye.diary.frames.length).toBeLessThan(300);
  });
});

describe('progress', () => {
  test('rises to 1 and stops there', async () => {
    const { fractions } = await analyze(media.clip, [
      diarist('eye', { frames }),
      diarist('ear', { pcm: true }),
    ]);
    expect(fractions.at(-1)).toBe(1);
    expect(fractions).toEqual(fractions.toSorted((a, b) => a - b));
    expect(new Set(fractions).size).toBe(fractions.length);
  });

  test('weighs by cost, at most twice a second, never back', () => {
    let now = 0;
    let [cheap, dear] = [0, 0];
    const reported: number[] = [];
    const progress = progressOf(
      [
        { cost: 1, done: () => cheap },
        { cost: 3, done: () => dear },
      ],
      (fraction) => reported.push(fraction),
      () => now,
    );
    cheap = 1;
    progress.update();
    now = 499;
    dear = 0.5;
    progress.update();
    now = 500;
    progress.update();
    now = 1_500;
    dear = 0.4;
    progress.update();
    progress.finish();
    expect(reported.map((fraction) => Math.round(fraction * 1000))).toEqual([245, 613, 1000]);
  });
});
