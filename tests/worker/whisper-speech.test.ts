/**
 * `transcribe` with Whisper base, the one that comes in packages: on machines with pip that reach
 * the Python Package Index. German is made with espeak-ng, where there is one.
 */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, test } from 'vitest';
import { ensureModels, ModelFetchError } from '../../gpu-worker/models/ensure-models.ts';
import { modelsDir } from '../../gpu-worker/models/model-folder.ts';
import { testMedia } from '../media/test-media.ts';
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

const means = { tier: 'packaged', hasPip: true } as const;

const absence = await ensureModels(['whisper-base'], { dir: modelsDir(process.env) }).then(
  () => null,
  (error) => {
    if (error instanceof ModelFetchError) return error.message;
    throw error;
  },
);
if (absence) console.log(`skipped, Whisper cannot be had here: ${absence}`);

const plain = (text: string) =>
  text
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s]/gu, ' ')
    .replace(/\s+/g, ' ')
    .trim();
const textOf = ({ rows }: Pick<Transcript, 'rows'>) => plain(rows.map((row) => row.text).join(' '));

/** Speech of espeak-ng at 16 kHz, or null where there is none. It speaks at 22,050 Hz. */
async function speak(voice: string, text: string): Promise<Float32Array | null> {
  const folder = await mkdtemp(join(tmpdir(), 'aima-spoken-'));
  try {
    const file = join(folder, 'spoken.wav');
    await promisify(execFile)('espeak-ng', ['-v', voice, '-s', '140', '-w', file, text]);
    const wav = await readFile(file);
    const rate = wav.readUInt32LE(24);
    const spoken = await readWav(file);
    return Float32Array.from({ length: Math.floor((spoken.length * 16_000) / rate) }, (_, i) => {
      const at = (i * rate) / 16_000;
      const [before, share] = [Math.floor(at), at % 1];
      return spoken[before]! * (1 - share) + (spoken[before + 1] ?? 0) * share;
    });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  } finally {
    await rm(folder, { recursive: true });
  }
}

describe.skipIf(absence !== null)('Whisper', { timeout: 300_000 }, () => {
  let speech: Float32Array;
  let said: string;
  let transcript: Transcript;
  beforeAll(async () => {
    const media = await testMedia();
    speech = await readWav(media.wav);
    said = media.talkTruth.speech[0]!.text;
    transcript = await transcribeSound(speech, { means });
  }, 600_000);

  test('hears English and writes it with punctuation', () => {
    expect(transcript.outcome).toEqual({ status: 'ok', reason: null });
    expect(wordErrorRate(said, textOf(transcript))).toBeLessThanOrEqual(0.1);
    expect(transcript.toMs).toBe(11_000);
    expect(transcript.rows[0]!.text).toMatch(/^And so,? my fellow Americans/);
    for (const row of transcript.rows) {
      expect(row).toMatchObject({ language: 'en', speakerId: null });
      expect(row.text).toBe(row.words.map((word) => word.text).join(' '));
    }
  });

  test('times words where they are said', () => {
    const all = words(transcript);
    for (const [i, word] of all.entries()) {
      expect(word.startMs).toBeGreaterThanOrEqual(all[i - 1]?.endMs ?? 0);
      expect(word.endMs).toBeGreaterThan(word.startMs);
    }
    const last = all.at(-1)!;
    expect(last.text).toBe('country.');
    expect(last.startMs).toBeGreaterThan(9_500);
    expect(last.endMs).toBeLessThan(11_000);
    // Silence from 2.2 s to 3.3 s.
    const americans = all.find((word) => word.text.startsWith('Americans'))!;
    expect(americans.endMs).toBeLessThan(2_700);
    expect(all.find((word) => word.text === 'ask')!.startMs).toBeGreaterThan(2_700);
  });

  test('a job that is resumed hears the same words', async () => {
    const sound = withPauses([speech, speech.toReversed(), speech, speech], 1_500);
    const whole = await transcribeSound(sound, { means });
    const lost = await transcribeSound(sound, { means, stopAtMs: 44_000, chunkMs: 77 });
    expect(lost.toMs).toBeGreaterThan(20_000);
    expect(lost.rows.length).toBeGreaterThan(0);
    const resumed = await transcribeSound(sound, { means, after: lost });
    expect([...lost.rows, ...resumed.rows]).toEqual(whole.rows);
    expect(resumed.outcome).toEqual(whole.outcome);
  });

  test('what is really said twice is written twice', async () => {
    const twice = await transcribeSound(withPauses([speech, speech], 1_000), { means, language: 'en' });
    expect(wordErrorRate(`${said} ${said}`, textOf(twice))).toBeLessThanOrEqual(0.1);
  });

  test.each([
    ['silence', () => new Float32Array(20_000 * SAMPLES_PER_MS)],
    ['noise', () => noise(20_000, 0.1)],
    ['less than one window', () => noise(10, 0.1)],
    ['no sound at all', () => new Float32Array(0)],
  ])('%s: nothing is found', async (_, sound) => {
    const heard = await transcribeSound(sound(), { means });
    expect(heard.rows).toEqual([]);
    expect(heard.outcome).toEqual({ status: 'nothing_found', reason: 'No speech was heard.' });
  });

  test('a language that it does not know is refused', async () => {
    const heard = await transcribeSound(speech, { means, language: 'tlh' });
    expect(heard.rows).toEqual([]);
    expect(heard.outcome?.status).toBe('unsupported_language');
    expect(heard.outcome?.reason).toContain('tlh');
  });

  test('finds German, and English behind it', async ({ skip }) => {
    const german =
      'Guten Morgen, meine Damen und Herren. Heute sprechen wir über die Zukunft der künstlichen Intelligenz. ' +
      'Das Wetter wird morgen kalt, am Wochenende scheint wieder die Sonne. ' +
      'Ich möchte gerne ein Zimmer mit Frühstück für zwei Nächte.';
    const spoken = await speak('de', german);
    if (!spoken) return skip('espeak-ng is missing');
    const heard = await transcribeSound(withPauses([spoken, speech, speech], 2_000), { means });
    const [first, last] = [heard.rows[0]!, heard.rows.at(-1)!];
    expect([first.language, last.language]).toEqual(['de', 'en']);
    const inGerman = heard.rows.filter((row) => row.language === 'de');
    expect(wordErrorRate(plain(german), textOf({ rows: inGerman }))).toBeLessThanOrEqual(0.4);
    expect(textOf({ rows: inGerman })).toContain('künstlichen intelligenz');
  });
});
