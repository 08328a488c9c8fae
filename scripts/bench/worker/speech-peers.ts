/**
 * The same speech through others: faster-whisper, where python3 has it and AIMA_BENCH_WHISPER names a
 * folder with the weights in its format (CTranslate2), or libvosk bare, which our `transcribe` is built
 * on where it does without Whisper: all sound, without looking for speech first.
 */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { VoskModel } from '../../../gpu-worker/analyzers/speech/vosk.ts';
import { decode } from '../../../gpu-worker/media/decode.ts';
import { probeMedium } from '../../../gpu-worker/media/probe.ts';
import { openModelStore } from '../../../gpu-worker/models/open-store.ts';

/** Greedy, float32, as ours; the first run, which warms up, does not count. */
const python = `
import sys, time
from faster_whisper import WhisperModel
folder, film, threads = sys.argv[1:]
model = WhisperModel(folder, device="cpu", cpu_threads=int(threads), compute_type="float32")
def hear():
    started = time.monotonic()
    segments, _ = model.transcribe(film, language="en", beam_size=1, word_timestamps=True, vad_filter=True)
    for segment in segments: pass
    return (time.monotonic() - started) * 1000
hear()
print(hear())
`;

/** Milliseconds, or a sentence that says what is missing. */
export async function fasterWhisper(film: string, threads: number): Promise<number | string> {
  const folder = process.env.AIMA_BENCH_WHISPER;
  if (!folder) return 'AIMA_BENCH_WHISPER names no folder with a Whisper model for faster-whisper';
  try {
    const { stdout } = await promisify(execFile)('python3', ['-c', python, folder, film, String(threads)]);
    return Number(stdout.trim());
  } catch (error) {
    const { code, stderr } = error as { code?: unknown; stderr?: string };
    if (code === 'ENOENT') return 'python3 is missing';
    return `faster-whisper does not run: ${stderr?.trim().split('\n').at(-1)}`;
  }
}

/** Milliseconds for decoding the sound and hearing all of it, model loaded before. */
export async function bareVosk(film: string, dir: string): Promise<number> {
  const models = openModelStore({ dir, threads: 1 });
  const model = await VoskModel.load(models.folder('vosk-lib'), models.folder('vosk-en'));
  const startedMs = performance.now();
  const medium = await probeMedium({ path: film });
  const recognizer = await model.recognizer();
  const plan = { frames: [], pcm: { fromMs: 0 }, threads: 1 };
  for await (const item of decode({ path: film }, medium, plan))
    if (item.type === 'pcm') await recognizer.accept(item.samples);
  await recognizer.finish();
  const wallMs = performance.now() - startedMs;
  recognizer.dispose();
  model.dispose();
  return wallMs;
}
