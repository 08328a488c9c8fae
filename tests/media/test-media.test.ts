import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import sharp from 'sharp';
import { expect, test } from 'vitest';
import { talkTruth } from './talk.ts';
import { testMedia } from './test-media.ts';

test('all media are there, made once for several who ask at the same time', async () => {
  const [media, again] = await Promise.all([testMedia(), testMedia()]);
  expect(again).toEqual(media);
  const files = await readdir(path.dirname(media.talk));
  for (const file of Object.values(media)) {
    if (typeof file === 'string') expect(files).toContain(path.basename(file));
  }
}, 240_000);

test('the truth about the talk is in itself consistent', () => {
  const { durationMs, cutsMs, texts, persons, speech } = talkTruth;
  expect(cutsMs.length).toBeGreaterThanOrEqual(6);
  const edges = [0, ...cutsMs, durationMs];
  for (const { startMs, endMs } of [...texts, ...persons]) {
    expect(edges.indexOf(endMs)).toBe(edges.indexOf(startMs) + 1);
  }
  expect(persons.filter(({ person }) => person === 'A')).toHaveLength(2);
  expect(persons.filter(({ person }) => person === 'B')).toHaveLength(2);
  for (const { startMs, endMs } of speech) expect(endMs - startMs).toBe(11_000);
});

test('text is drawn although the machine may have no fonts', async () => {
  const media = await testMedia();
  const { channels } = await sharp(await readFile(media.png)).stats();
  // Black letters on white are about one percent of the picture.
  expect(channels[0]!.mean).toBeGreaterThan(245);
  expect(channels[0]!.mean).toBeLessThan(253.5);
}, 240_000);
