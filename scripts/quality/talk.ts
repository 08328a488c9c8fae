/**
 * A talk of several people, put together of recordings whose speaker is known, in turns with pauses
 * between them. When exactly somebody speaks within a recording is told by its loudness.
 */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { testMedia } from '../../tests/media/test-media.ts';
import type { Turn } from './speaking.ts';
import { librivox } from './spoken.ts';

/** Samples a second. */
export const TALK_RATE = 16_000;
const PAUSE_MS = 700;
/** Loudness is looked at in pieces of this length; silence is where it is 30 dB below the loudest. */
const PIECE_MS = 20;
const SILENT_POWER = 0.001;
/** Silence within a turn that is shorter belongs to it. */
const BREATH_MS = 300;

const prompts = ['demo-congrats', 'vm-options', 'basic-pbx-ivr-main', 'demo-echotest'].map(
  (name) => `usr/share/asterisk/sounds/en_US_f_Allison/${name}.wav`,
);

/** Null where fewer than two people can be had. */
export async function talkOf(debianRoot: string): Promise<{ samples: Float32Array; turns: Turn[] } | null> {
  const read = await librivox(debianRoot);
  const voices = new Map<string, string[]>([
    ['president', [(await testMedia()).wav]],
    ['reader', read?.recordings.map(({ file }) => file) ?? []],
    ['operator', prompts.map((file) => path.join(debianRoot, file)).filter((file) => existsSync(file))],
  ]);
  if ([...voices.values()].filter((files) => files.length > 0).length < 2) return null;
  const sound: Float32Array[] = [];
  const turns: Turn[] = [];
  let atMs = 0;
  const add = (samples: Float32Array) => {
    sound.push(samples);
    atMs += (samples.length * 1000) / TALK_RATE;
  };
  // One recording of each in turn, until all are used up.
  for (let round = 0; [...voices.values()].some((files) => round < files.length); round++) {
    for (const [speaker, files] of voices) {
      const file = files[round];
      if (!file) continue;
      const samples = await samplesOf(file);
      const startMs = atMs;
      turns.push(
        ...loudStretches(samples).map((stretch) => ({
          speaker,
          startMs: startMs + stretch.startMs,
          endMs: startMs + stretch.endMs,
        })),
      );
      add(samples);
      add(new Float32Array((TALK_RATE * PAUSE_MS) / 1000));
    }
  }
  const samples = new Float32Array(sound.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of sound) {
    samples.set(part, at);
    at += part.length;
  }
  return { samples, turns };
}

/** A WAV with the plain 44-byte header, mono, 16 bits; 8 kHz, as telephones have, are brought to 16. */
async function samplesOf(file: string): Promise<Float32Array> {
  const wav = await readFile(file);
  const rate = wav.readUInt32LE(24);
  const start = wav.indexOf('data') + 8;
  const given = Float32Array.from(
    { length: (wav.length - start) >> 1 },
    (_, i) => wav.readInt16LE(start + i * 2) / 32768,
  );
  if (rate === TALK_RATE) return given;
  return Float32Array.from({ length: Math.floor((given.length * TALK_RATE) / rate) }, (_, i) => {
    const at = (i * rate) / TALK_RATE;
    const before = given[Math.floor(at)]!;
    return before + ((given[Math.floor(at) + 1] ?? before) - before) * (at % 1);
  });
}

function loudStretches(samples: Float32Array): { startMs: number; endMs: number }[] {
  const length = (TALK_RATE * PIECE_MS) / 1000;
  const power = Array.from({ length: Math.floor(samples.length / length) }, (_, piece) =>
    samples.subarray(piece * length, (piece + 1) * length).reduce((sum, value) => sum + value * value, 0),
  );
  const least = Math.max(...power) * SILENT_POWER;
  const stretches: { startMs: number; endMs: number }[] = [];
  for (const [piece, loudness] of power.entries()) {
    if (loudness < least) continue;
    const startMs = piece * PIECE_MS;
    const last = stretches.at(-1);
    if (last && startMs - last.endMs <= BREATH_MS) last.endMs = startMs + PIECE_MS;
    else stretches.push({ startMs, endMs: startMs + PIECE_MS });
  }
  return stretches.filter(({ startMs, endMs }) => endMs - startMs >= PIECE_MS * 5);
}
