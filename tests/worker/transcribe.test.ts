import { beforeAll, describe, expect, test } from 'vitest';
import { type TestMedia, testMedia } from '../media/test-media.ts';
import {
  noise,
  readWav,
  SAMPLES_PER_MS,
  type Transcript,
  transcribeSound,
  withPauses,
  wordErrorRate,
  words,
} from './sound-analysis.ts';

let media: TestMedia;
let speech: Float32Array;
let said: string;
beforeAll(async () => {
  media = await testMedia();
  speech = await readWav(media.wav);
  said = media.talkTruth.speech[0]!.text;
}, 300_000);

const textOf = (transcript: Transcript) => transcript.rows.map((row) => row.text).join(' ');

describe('English speech', () => {
  let transcript: Transcript;
  beforeAll(async () => {
    transcript = await transcribeSound(speech);
  }, 300_000);

  test('becomes words', () => {
    expect(transcript.outcome).toEqual({ status: 'ok', reason: null });
    expect(wordErrorRate(said, textOf(transcript))).toBeLessThanOrEqual(0.35);
    expect(transcript.toMs).toBe(11_000);
    for (const row of transcript.rows) {
      expect(row.text).toBe(row.words.map((word) => word.text).join(' '));
      expect(row).toMatchObject({ language: 'en', speakerId: null });
    }
  });

  test('with times that follow each other and lie where it is said', () => {
    const all = words(transcript);
    for (const [i, word] of all.entries()) {
      expect(word.startMs).toBeGreaterThanOrEqual(all[i - 1]?.endMs ?? 0);
      expect(word.endMs).toBeGreaterThan(word.startMs);
    }
    // The recording's last sentence, "ask what you can do for your country", begins after a pause at 7.8 s.
    const last = all.filter((word) => word.text === 'country').at(-1)!;
    expect(last.startMs).toBeGreaterThan(9_500);
    expect(last.endMs).toBeLessThan(11_000);
  });

  test('does not depend on how the sound is cut into chunks', async () => {
    expect(await transcribeSound(speech, { chunkMs: 77 })).toEqual(transcript);
  });

  test('keeps its times behind long silence', async () => {
    const lateMs = 30_000;
    const late = new Float32Array(lateMs * SAMPLES_PER_MS + speech.length);
    late.set(speech, lateMs * SAMPLES_PER_MS);
    const heard = await transcribeSound(late);
    expect(wordErrorRate(said, textOf(heard))).toBeLessThanOrEqual(0.35);
    const [first, firstLate] = [words(transcript)[0]!, words(heard)[0]!];
    expect(Math.abs(firstLate.startMs - lateMs - first.startMs)).toBeLessThan(200);
  });
});

describe('a job that is resumed', () => {
  let sound: Float32Array;
  let whole: Transcript;
  beforeAll(async () => {
    sound = withPauses([speech, speech, speech, speech], 1_500);
    whole = await transcribeSound(sound);
  }, 300_000);

  test.each([26_000, 33_000, 41_000, 48_000])(
    'after it was lost at %i ms hears the same words',
    async (stopAtMs) => {
      const lost = await transcribeSound(sound, { stopAtMs });
      expect(lost.toMs).toBeLessThanOrEqual(stopAtMs);
      const resumed = await transcribeSound(sound, { after: lost });
      expect([...lost.rows, ...resumed.rows]).toEqual(whole.rows);
      expect(resumed.outcome).toEqual(whole.outcome);
    },
  );

  test('has saved parts by then', async () => {
    const lost = await transcribeSound(sound, { stopAtMs: 41_000 });
    expect(words(lost).length).toBeGreaterThanOrEqual(40);
    expect(lost.toMs).toBeGreaterThan(30_000);
  });
});

test('speech without a pause is saved while it goes on', async () => {
  // The sentences run into each other: pauses of less than a quarter of a second.
  const spoken = speech.subarray(300 * SAMPLES_PER_MS, 2_200 * SAMPLES_PER_MS);
  const sound = withPauses(
    Array.from({ length: 40 }, () => spoken),
    250,
  );
  const lost = await transcribeSound(sound, { stopAtMs: 70_000, language: 'en' });
  expect(lost.toMs).toBeGreaterThan(35_000);
  expect(lost.rows.length).toBeGreaterThan(0);
}, 120_000);

describe('no speech', () => {
  test.each([
    ['silence', () => new Float32Array(20_000 * SAMPLES_PER_MS)],
    ['noise', () => noise(20_000, 0.1)],
    ['less than one window', () => noise(10, 0.1)],
    ['no sound at all', () => new Float32Array(0)],
  ])('%s: nothing is found', async (_, sound) => {
    const transcript = await transcribeSound(sound());
    expect(transcript.rows).toEqual([]);
    expect(transcript.outcome).toEqual({ status: 'nothing_found', reason: 'No speech was heard.' });
  });

  test('silence is settled before its end, so that it need not be heard again', async () => {
    const lost = await transcribeSound(new Float32Array(60_000 * SAMPLES_PER_MS), { stopAtMs: 50_000 });
    expect(lost.toMs).toBeGreaterThan(35_000);
  });
});

describe('languages', () => {
  test.each(['de', 'de-AT', 'zh-Hans'])('%s is not supported', async (language) => {
    const transcript = await transcribeSound(speech, { language });
    expect(transcript.rows).toEqual([]);
    expect(transcript.outcome?.status).toBe('unsupported_language');
    expect(transcript.outcome?.reason).toContain(language);
  });

  test('English is, with any region', async () => {
    const transcript = await transcribeSound(speech, { language: 'en-GB' });
    expect(transcript.outcome?.status).toBe('ok');
    expect(wordErrorRate(said, textOf(transcript))).toBeLessThanOrEqual(0.35);
  });

  /** Played backwards, speech keeps its voice and rhythm and has no English words: like a foreign language. */
  test('speech that is not English is turned down, and nothing of it saved', async () => {
    const foreign = withPauses(
      Array.from({ length: 6 }, () => speech.toReversed()),
      1_500,
    );
    const transcript = await transcribeSound(foreign);
    expect(transcript.outcome?.status).toBe('unsupported_language');
    expect(transcript.rows).toEqual([]);
    const asked = await transcribeSound(foreign, { language: 'en' });
    expect(asked.outcome?.status).toBe('ok');
  }, 240_000);
});
