/**
 * Two people on the telephone, 30 s, and who of them speaks when: the sample that the package
 * `pyannote-audio` of the Python Package Index has for its users to try. Fetched through pip and
 * checked; nothing of it is in this repository.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { PypiPackage } from '../../gpu-worker/models/pip.ts';
import { readWheel } from '../../gpu-worker/models/wheel.ts';

const source: PypiPackage = {
  name: 'pyannote-audio',
  version: '4.0.7',
  sha256: '852ea15c4d85bc34773e618267603ffca6a521669a74d33742692cc67fc700d6',
  sizeBytes: 894_598,
};
const soundFile = 'pyannote/audio/sample/sample.wav';
const turnsFile = 'pyannote/audio/sample/sample.rttm';

export interface SpokenTurn {
  speaker: string;
  startMs: number;
  endMs: number;
}

export interface Conversation {
  /** A WAV: 16 kHz, mono, 16 bits. */
  wav: Buffer;
  turns: SpokenTurn[];
}

/** Throws where pip cannot fetch the package. */
export async function fetchConversation(): Promise<Conversation> {
  const folder = await mkdtemp(path.join(tmpdir(), 'aima-test-media-'));
  try {
    const files = await readWheel(source, new Set([soundFile, turnsFile]), folder);
    return { wav: files.get(soundFile)!, turns: parseRttm(files.get(turnsFile)!.toString()) };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Rich Transcription Time Marked: SPEAKER, file, channel, start and duration in seconds, …, name. */
function parseRttm(text: string): SpokenTurn[] {
  return text
    .trim()
    .split('\n')
    .map((line) => line.split(' '))
    .map(([, , , start, duration, , , name]) => ({
      speaker: name!,
      startMs: Math.round(Number(start) * 1000),
      endMs: Math.round((Number(start) + Number(duration)) * 1000),
    }));
}
