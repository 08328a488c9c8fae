import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { mergeRows } from '../../functions/core/results/merge/merge.ts';
import { leastMeans } from '../../gpu-worker/models/means.ts';
import { hasPip } from '../../gpu-worker/models/pip.ts';
import { fetchConversation, type SpokenTurn } from '../media/conversation.ts';
import { testMedia } from '../media/test-media.ts';
import { diarizationErrorRate } from './diarization-error.ts';
import { noise, readWav, SAMPLES_PER_MS, withPauses } from './sound-analysis.ts';
import { type Diarization, diarize, speakerCount, turnsIn } from './speakers-analysis.ts';

const canHavePip = await hasPip();

describe.skipIf(!canHavePip)('who speaks when (needs python3 with pip, skipped without)', () => {
  /** Two people talk on the telephone. */
  let call: { sound: Float32Array; turns: SpokenTurn[] };
  /** A third, J. F. Kennedy, by himself. */
  let speech: Float32Array;
  /** All three, one after the other, for two minutes. */
  let panel: { sound: Float32Array; turns: SpokenTurn[] };
  let ofPanel: Diarization;

  beforeAll(async () => {
    const { wav, turns } = await fetchConversation();
    const folder = await mkdtemp(path.join(tmpdir(), 'aima-conversation-'));
    await writeFile(path.join(folder, 'call.wav'), wav);
    call = { sound: await readWav(path.join(folder, 'call.wav')), turns };
    await rm(folder, { recursive: true });
    speech = await readWav((await testMedia()).wav);
    panel = panelOf(call.sound, speech);
    ofPanel = await diarize(panel.sound);
  }, 300_000);

  test('in a conversation where they fall into each other’s words', async () => {
    const { rows, outcome } = await diarize(call.sound);
    expect(outcome).toEqual({ status: 'ok', reason: null });
    expect(speakerCount(rows)).toBe(2);
    expect(diarizationErrorRate(call.turns, turnsIn(rows))).toBeLessThan(0.1);
  }, 60_000);

  test('among three, two of them on the telephone', () => {
    expect(speakerCount(ofPanel.rows)).toBe(3);
    expect(diarizationErrorRate(panel.turns, turnsIn(ofPanel.rows))).toBeLessThan(0.1);
  });

  test('turns follow each other, and speakers are called in the order in which they are heard', () => {
    const turns = turnsIn(ofPanel.rows);
    for (const [i, turn] of turns.entries()) {
      expect(turn.startMs).toBeGreaterThanOrEqual(turns[i - 1]?.endMs ?? 0);
      expect(turn.endMs).toBeGreaterThan(turn.startMs);
    }
    expect([...new Set(turns.map(({ speaker }) => speaker))]).toEqual(['sp1', 'sp2', 'sp3']);
  });

  test('one alone is one', async () => {
    const { rows } = await diarize(withPauses([speech, speech, speech], 800));
    expect(speakerCount(rows)).toBe(1);
  }, 60_000);

  test('does not depend on how the sound is cut into chunks', async () => {
    expect(await diarize(panel.sound, { chunkMs: 1337 })).toEqual(ofPanel);
  }, 60_000);

  test.each([34_000, 71_000, 95_000])(
    'a job that was lost at %i ms goes on to the same end',
    async (stopAtMs) => {
      const lost = await diarize(panel.sound, { stopAtMs });
      expect(lost.toMs).toBeGreaterThan(stopAtMs - 50_000);
      const { rows, ...resumed } = await diarize(panel.sound, { after: lost });
      expect([...lost.rows, ...rows]).toEqual(ofPanel.rows);
      expect({ ...resumed, rows: ofPanel.rows }).toEqual(ofPanel);
    },
    60_000,
  );

  test('a long medium in pieces has the same speakers, in all pieces by one name', async () => {
    const overlapMs = 10_000;
    const cutMs = 60_000;
    const found = await Promise.all(
      [
        { fromMs: 0, toMs: cutMs + overlapMs },
        { fromMs: cutMs - overlapMs, toMs: Infinity },
      ].map((range) => diarize(panel.sound, { range })),
    );
    const rows = mergeRows([
      { piece: 1, fromMs: 0, toMs: cutMs, overlapMs, rows: found[0]!.rows },
      { piece: 2, fromMs: cutMs, toMs: Infinity, overlapMs, rows: found[1]!.rows },
    ]).flat();
    expect(speakerCount(rows)).toBe(3);
    expect(diarizationErrorRate(panel.turns, turnsIn(rows))).toBeLessThan(0.1);
  }, 60_000);

  test.each([
    ['silence', () => new Float32Array(20_000 * SAMPLES_PER_MS)],
    ['noise', () => noise(20_000, 0.1)],
    ['less than one window', () => noise(10, 0.1)],
    ['no sound at all', () => new Float32Array(0)],
  ])('in %s nobody', async (_, sound) => {
    const { rows, outcome } = await diarize(sound());
    expect(rows).toEqual([]);
    expect(outcome).toEqual({ status: 'nothing_found', reason: 'No voice was heard.' });
  });
});

test('without pip it says why it found nothing', async () => {
  const { rows, outcome } = await diarize(noise(1_000, 0.1), { means: leastMeans });
  expect(rows).toEqual([]);
  expect(outcome).toMatchObject({ status: 'skipped', reason: expect.stringContaining('pip') });
});

/** Turns taken out of the recordings, each several times, with pauses between them. */
function panelOf(talk: Float32Array, address: Float32Array): { sound: Float32Array; turns: SpokenTurn[] } {
  const cut = (sound: Float32Array, fromMs: number, toMs: number) =>
    sound.slice(fromMs * SAMPLES_PER_MS, toMs * SAMPLES_PER_MS);
  const spoken: [string, Float32Array][] = [
    ['kennedy', cut(address, 7_900, 10_600)],
    ['caller', cut(talk, 10_700, 14_400)],
    ['called', cut(talk, 22_000, 27_700)],
    ['kennedy', cut(address, 3_200, 5_900)],
    ['called', cut(talk, 14_800, 17_800)],
    ['caller', cut(talk, 18_700, 21_400)],
  ];
  const order = Array.from({ length: 30 }, (_, i) => spoken[i % spoken.length]!);
  const pauseMs = 700;
  const turns: SpokenTurn[] = [];
  let atMs = 0;
  for (const [speaker, sound] of order) {
    const endMs = atMs + sound.length / SAMPLES_PER_MS;
    turns.push({ speaker, startMs: atMs, endMs });
    atMs = endMs + pauseMs;
  }
  return {
    sound: withPauses(
      order.map(([, sound]) => sound),
      pauseMs,
    ),
    turns,
  };
}
