/** Files that are broken, lie about what they are, or are too large. */
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import sharp from 'sharp';

export const badMedia = {
  empty: 'empty.mp4',
  textNamedMp4: 'text.mp4',
  playlist: 'playlist.m3u8',
  /** Its index (moov) was at its end and is cut off. */
  truncatedIndexLast: 'truncated-index-last.mp4',
  /** Its index is there, half of its content is not. */
  truncated: 'truncated.mp4',
  /** Whole, but with noise in its middle. */
  scratched: 'scratched.mp4',
  truncatedJpeg: 'truncated.jpg',
  /** 10,000 × 10,000: the largest that is read. */
  hugePng: 'huge.png',
  /** 12,000 × 12,000. */
  tooLargePng: 'too-large.png',
} as const;

export async function makeBadMedia(
  folder: string,
  good: { clip: string; clipIndexLast: string; jpeg: string },
): Promise<void> {
  const write = (name: keyof typeof badMedia, content: string | Buffer) =>
    writeFile(path.join(folder, badMedia[name]), content);
  const clip = await readFile(good.clip);
  const indexLast = await readFile(good.clipIndexLast);
  const jpeg = await readFile(good.jpeg);
  await write('empty', '');
  await write('textNamedMp4', 'This is a letter, not a film.\n'.repeat(500));
  await write(
    'playlist',
    '#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\nhttp://127.0.0.1:9/a.ts\n#EXT-X-ENDLIST\n',
  );
  await write('truncatedIndexLast', indexLast.subarray(0, indexLast.length / 2));
  await write('truncated', clip.subarray(0, clip.length / 2));
  await write('scratched', scratched(clip));
  await write('truncatedJpeg', jpeg.subarray(0, jpeg.length / 2));
  const blank = (side: number, colourspace: string) =>
    sharp({
      create: { width: side, height: side, channels: 3, background: '#204060' },
      limitInputPixels: false,
    })
      .toColourspace(colourspace)
      .png({ compressionLevel: 1 });
  await blank(10_000, 'srgb').toFile(path.join(folder, badMedia.hugePng));
  await blank(12_000, 'b-w').toFile(path.join(folder, badMedia.tooLargePng));
}

/** Noise of a fixed seed over a tenth of the bytes, behind the index. */
function scratched(film: Buffer): Buffer {
  const copy = Buffer.from(film);
  const start = Math.floor(film.length * 0.5);
  let state = 1;
  for (let at = start; at < start + film.length / 10; at++) {
    state = (state * 1103515245 + 12345) & 0x7fffffff;
    copy[at] = state >> 16;
  }
  return copy;
}
