import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, expect, test } from 'vitest';
import { type TestMedia, testMedia } from '../media/test-media.ts';

let media: TestMedia;
beforeAll(async () => {
  media = await testMedia();
}, 240_000);

/** Peak memory of a process of its own that decodes a medium in full width for a slow taker. */
async function peakMiB(file: string): Promise<number> {
  const from = (name: string) => path.join(import.meta.dirname, '../../gpu-worker/media', name);
  const script = `
    const { probeMedium } = await import(${JSON.stringify(from('probe.ts'))});
    const { decode } = await import(${JSON.stringify(from('decode.ts'))});
    const source = { path: ${JSON.stringify(file)} };
    const frames = [{ fps: 0, maxWidth: 320, fromMs: 0 }, { fps: 5, maxWidth: 1280, fromMs: 0 }];
    const plan = { frames, pcm: { fromMs: 0 }, threads: 2 };
    for await (const item of decode(source, await probeMedium(source), plan))
      if (item.type === 'frame' && item.frame.width > 320) await new Promise((later) => setTimeout(later, 5));
    console.log(process.resourceUsage().maxRSS / 1024);
  `;
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script]);
  return Number(stdout);
}

// Node with FFmpeg's libraries loaded takes about 140 MiB; the film's frames alone are 4 GB.
test('a film is decoded in bounded memory', async () => {
  expect(await peakMiB(media.talk)).toBeLessThan(350);
});

// 300 MB if it were held as a whole.
test('the largest picture is scaled in bounded memory', async () => {
  expect(await peakMiB(media.hugePng)).toBeLessThan(350);
});
