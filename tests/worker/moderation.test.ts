import { beforeAll, describe, expect, test } from 'vitest';
import { joinModeration } from '../../functions/core/results/join.ts';
import { categoryOf, moderationCategories } from '../../functions/core/results/moderation.ts';
import { Stretches } from '../../gpu-worker/analyzers/moderation/stretches.ts';
import { moderation } from '../../gpu-worker/analyzers/moderation.ts';
import { leastMeans } from '../../gpu-worker/models/means.ts';
import { hasPip } from '../../gpu-worker/models/pip.ts';
import { type TestMedia, testMedia } from '../media/test-media.ts';
import { analyzeFilm, analyzePicture } from './picture-analysis.ts';

/**
 * That it finds what it is for is not tested: there are no such pictures here, and there shall be none.
 * What can be is that what anybody may see passes, and how scores become stretches of time.
 */

/** Scores of one picture a second, as stretches. */
function stretchesOf(scores: number[], fromMs = 0, endMs = fromMs + scores.length * 1000) {
  const stretches = new Stretches();
  for (const [index, score] of scores.entries()) stretches.add(fromMs + index * 1000, score);
  stretches.end(endMs);
  return stretches.take();
}

describe('scores', () => {
  test('that stay high are explicit as long as they do, at the edges perhaps', () => {
    expect(stretchesOf([0, 0, 0.9, 0.95, 0.9, 0, 0])).toEqual([
      { category: 'sexual.suggestive', startMs: 1000, endMs: 2000, score: 0.45 },
      { category: 'sexual.explicit', startMs: 2000, endMs: 4000, score: 0.925 },
      { category: 'sexual.suggestive', startMs: 4000, endMs: 5000, score: 0.45 },
    ]);
  });

  test('of a moment are worth a look where they are sure, and nothing where they are not', () => {
    expect(stretchesOf([0, 0, 0.99, 0, 0])).toEqual([
      { category: 'sexual.suggestive', startMs: 1000, endMs: 3000, score: 0.495 },
    ]);
    expect(stretchesOf([0, 0, 0.7, 0, 0])).toEqual([]);
  });

  test('of a picture that stands are its own, whatever comes after', () => {
    const stretches = new Stretches();
    stretches.add(0, 0.9);
    stretches.add(60_000, 0);
    stretches.end(61_000);
    expect(stretches.take()).toEqual([
      { category: 'sexual.explicit', startMs: 0, endMs: 60_000, score: 0.9 },
    ]);
  });

  test('of a single picture are a moment', () => {
    expect(stretchesOf([0.9], 0, 0)).toEqual([
      { category: 'sexual.explicit', startMs: 0, endMs: 0, score: 0.9 },
    ]);
  });

  test('give the same stretches however often a worker is lost', () => {
    const scores = Array.from({ length: 60 }, (_, i) => (Math.sin(i / 3) + Math.sin(i * 1.7) + 2) / 4);
    const rows = (found: ReturnType<typeof stretchesOf>) =>
      found.map(({ score, ...rest }) => ({ kind: 'moderation' as const, ...rest, confidence: score }));
    const whole = joinModeration(rows(stretchesOf(scores)));
    expect(whole.findings.length).toBeGreaterThan(3);
    for (const lostAt of [1, 2, 17, 30, 59]) {
      const before = new Stretches();
      for (const [index, score] of scores.slice(0, lostAt + 1).entries()) before.add(index * 1000, score);
      const saved = before.take();
      const resumedAt = before.decidedMs! / 1000;
      expect(resumedAt).toBe(lostAt);
      const after = stretchesOf(scores.slice(resumedAt), resumedAt * 1000);
      expect(joinModeration(rows([...saved, ...after]))).toEqual(whole);
    }
  });

  test('have each a category or none', () => {
    expect([0, 0.39, 0.4, 0.79, 0.8, 1].map(categoryOf)).toEqual([
      ...[null, null, 'sexual.suggestive', 'sexual.suggestive', 'sexual.explicit', 'sexual.explicit'],
    ]);
    expect(moderationCategories).toHaveLength(2);
  });
});

describe('media that anybody may see', () => {
  const means = { ...leastMeans, hasPip: true };
  let media: TestMedia;
  beforeAll(async () => {
    media = await testMedia();
  }, 300_000);

  test('pass: photographs of people, a slide, a film', async ({ skip }) => {
    if (!(await hasPip())) skip('needs python3 with pip');
    for (const path of [media.groupJpeg, media.jpeg, media.png]) {
      const { rows, outcome } = await analyzePicture(moderation, path, means);
      expect(rows).toEqual([]);
      expect(outcome).toEqual({ status: 'nothing_found', reason: null });
    }
    const film = await analyzeFilm(moderation, media.talk, { means });
    expect(film.rows).toEqual([]);
    expect(film.outcome).toEqual({ status: 'nothing_found', reason: null });
    expect(film.toMs).toBe(media.talkTruth.durationMs);
  }, 240_000);

  test('are not judged where the model cannot be had, which is said', async () => {
    const { rows, outcome } = await analyzePicture(moderation, media.jpeg);
    expect(rows).toEqual([]);
    expect(outcome).toEqual({ status: 'skipped', reason: expect.stringContaining('pip') });
  });
});
