/** The same film through ffmpeg's own scene detector, with as many threads. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

export interface FfmpegScenes {
  wallMs: number;
  cutsMs: number[];
}

/** null where there is no ffmpeg. @throws where it fails on the film. */
export async function ffmpegScenes(film: string, threads: number): Promise<FfmpegScenes | null> {
  const args = ['-hide_banner', '-nostats', '-threads', String(threads), '-i', film, '-an'];
  const startedMs = performance.now();
  try {
    const { stderr } = await promisify(execFile)(
      'ffmpeg',
      [...args, '-filter_threads', String(threads), '-vf', 'scdet=threshold=10', '-f', 'null', '-'],
      { maxBuffer: 2 ** 24 },
    );
    const times = stderr.matchAll(/lavfi\.scd\.time: ([\d.]+)/g);
    return {
      wallMs: performance.now() - startedMs,
      cutsMs: [...times].map(([, seconds]) => Math.round(Number(seconds) * 1000)),
    };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}
