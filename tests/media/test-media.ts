/**
 * Media for tests, made on this machine when a test first asks for them.
 *
 * Raw material comes out of npm packages (packages.ts), films are put together from stills
 * (stills.ts, talk.ts), encoded (encode.ts) and damaged (bad-media.ts). Everything lies in
 * node_modules/.cache and is made anew when one of these files changes. Several processes
 * may ask at once: one builds, the others wait for it.
 */
import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  FF_ENCODER_AAC,
  FF_ENCODER_LIBMP3LAME,
  FF_ENCODER_LIBOPUS,
  FF_ENCODER_LIBVPX_VP8,
  FF_ENCODER_LIBX264,
} from 'node-av/constants';
import sharp from 'sharp';
import { badMedia, makeBadMedia } from './bad-media.ts';
import { encode, turn } from './encode.ts';
import { fetchRawMaterial, type RawMaterial } from './packages.ts';
import { crop, textPicture } from './stills.ts';
import { personPicture, talkPictures, talkSound, talkTruth } from './talk.ts';

const names = {
  /** 60 s, 1280 × 720, 25 frames/s, H.264 and AAC: see `talk`. */
  talk: 'talk.mp4',
  /** Its part from 5 s to 17 s in 640 × 360: see `clip`. H.264 and AAC, index at the front. */
  clip: 'clip.mp4',
  /** The same with the index at the end. */
  clipIndexLast: 'clip-index-last.mp4',
  /** The same as VP8 and Opus. */
  clipWebm: 'clip.webm',
  /** The same as a browser records it: no duration, no index. */
  liveWebm: 'live.webm',
  /** The same without sound. */
  silent: 'silent.mp4',
  /** 2 s, stored 640 × 360, to be turned clockwise by 90 degrees: upright 360 × 640. */
  phone: 'phone.mp4',
  /** 3 s with frames at uneven times: see `unevenTimesMs`. */
  uneven: 'uneven.mp4',
  /** 11 s of speech. */
  wav: 'speech.wav',
  mp3: 'speech.mp3',
  /** Person A, 650 × 366. */
  jpeg: 'person.jpg',
  /** The same picture stored on its side, with EXIF orientation 6. */
  jpegOnSide: 'person-on-side.jpg',
  webp: 'person.webp',
  /** Three persons in a photograph of 1920 × 1280. */
  groupJpeg: 'group.jpg',
  /** A slide with `slideText`, 1280 × 720, grey without colour channels. */
  png: 'slide.png',
  gif: 'slide.gif',
  ...badMedia,
} as const;

export const slideText = 'The quick brown fox';
export const clip = { fromMs: 5_000, toMs: 17_000, cutsMs: [2_000, 10_000], fps: 25 };
export const unevenTimesMs = [0, 40, 200, 240, 280, 1000, 1033, 1066, 1500, 2900];

export type TestMedia = { [name in keyof typeof names]: string } & {
  talkTruth: typeof talkTruth;
};

const root = path.resolve(import.meta.dirname, '../..');

/** Paths of all media. The first call on a machine needs npm's registry and about half a minute. */
export async function testMedia(): Promise<TestMedia> {
  const cache = path.join(root, 'node_modules/.cache/aima-test-media');
  const folder = path.join(cache, await sourcesHash());
  const isBuilt = () =>
    stat(folder).then(
      () => true,
      () => false,
    );
  if (!(await isBuilt())) {
    await mkdir(cache, { recursive: true });
    await withLock(`${folder}.lock`, async () => {
      if (await isBuilt()) return;
      // What earlier versions of these sources made, and what a killed builder left.
      for (const entry of await readdir(cache)) {
        if (!entry.endsWith('.lock')) await rm(path.join(cache, entry), { recursive: true, force: true });
      }
      const temporary = `${folder}.building`;
      await mkdir(temporary);
      await build(temporary);
      await rename(temporary, folder);
    });
  }
  const paths = Object.entries(names).map(([name, file]) => [name, path.join(folder, file)]);
  return { ...Object.fromEntries(paths), talkTruth };
}

async function build(folder: string): Promise<void> {
  const material = await fetchRawMaterial();
  const to = (name: keyof typeof names) => path.join(folder, names[name]);
  const font = path.join(folder, 'font.ttf');
  await writeFile(font, material.font);
  await writeFile(to('wav'), material.speechWav);
  await makePictures(material, font, to);
  await makeFilms(material, font, to);
  await makeBadMedia(folder, { clip: to('clip'), clipIndexLast: to('clipIndexLast'), jpeg: to('jpeg') });
}

async function makePictures(
  material: RawMaterial,
  font: string,
  to: (name: keyof typeof names) => string,
): Promise<void> {
  const person = await personPicture(material, { person: 'A', mirrored: false, zoomed: false })
    .jpeg({ quality: 92 })
    .toBuffer();
  await writeFile(to('jpeg'), person);
  await sharp(person).rotate(-90).withMetadata({ orientation: 6 }).jpeg().toFile(to('jpegOnSide'));
  await sharp(person).webp().toFile(to('webp'));
  await crop(material.photos[0], { left: 0, top: 0, width: 1920, height: 1280 })
    .jpeg()
    .toFile(to('groupJpeg'));
  const line = { text: slideText, size: 70, x: 200, y: 300 };
  const size = { width: 1280, height: 720, colour: '#000000', background: '#ffffff' };
  const slide = await textPicture(font, [line], size);
  await slide.clone().toColourspace('b-w').png().toFile(to('png'));
  await slide.clone().gif().toFile(to('gif'));
}

async function makeFilms(
  material: RawMaterial,
  font: string,
  to: (name: keyof typeof names) => string,
): Promise<void> {
  const speech = wavSamples(material.speechWav);
  const sampleRate = 16_000;
  const x264 = { codec: FF_ENCODER_LIBX264, options: { preset: 'ultrafast', crf: '23' } } as const;
  const large = { width: 1280, height: 720, fps: 25 };
  await encode(to('talk'), {
    picture: { ...x264, ...large, frames: talkPictures(material, font, large) },
    sound: { codec: FF_ENCODER_AAC, samples: talkSound(speech, sampleRate), sampleRate },
    muxerOptions: { movflags: '+faststart' },
  });

  const small = { width: 640, height: 360, fps: clip.fps };
  const picture = (fromMs: number, toMs: number) => ({
    ...x264,
    ...small,
    frames: talkPictures(material, font, small, fromMs, toMs),
  });
  const clipPicture = () => picture(clip.fromMs, clip.toMs);
  const sound = { samples: talkSound(speech, sampleRate, clip.fromMs, clip.toMs), sampleRate };
  const aac = { ...sound, codec: FF_ENCODER_AAC } as const;
  const vp8 = {
    codec: FF_ENCODER_LIBVPX_VP8,
    options: { deadline: 'realtime', 'cpu-used': '8', b: '1M', bf: '0' },
  };
  await encode(to('clip'), {
    picture: clipPicture(),
    sound: aac,
    muxerOptions: { movflags: '+faststart' },
  });
  await encode(to('clipIndexLast'), { picture: clipPicture(), sound: aac });
  await encode(to('silent'), { picture: clipPicture() });
  await encode(to('clipWebm'), {
    picture: { ...clipPicture(), ...vp8 },
    sound: { ...sound, codec: FF_ENCODER_LIBOPUS },
  });
  await encode(to('liveWebm'), {
    picture: { ...clipPicture(), ...vp8 },
    sound: { ...sound, codec: FF_ENCODER_LIBOPUS },
    muxerOptions: { live: '1' },
  });
  await encode(to('phone'), { picture: picture(8_000, 10_000) });
  await turn(to('phone'), 90);
  await encode(to('uneven'), { picture: { ...picture(0, 400), frames: uneven(material, font, small) } });
  await encode(to('mp3'), { sound: { codec: FF_ENCODER_LIBMP3LAME, samples: speech, sampleRate } });
}

async function* uneven(
  material: RawMaterial,
  font: string,
  size: { width: number; height: number; fps: number },
) {
  let index = 0;
  for await (const { rgb } of talkPictures(material, font, size, 0, 400)) {
    yield { tMs: unevenTimesMs[index++]!, rgb };
  }
}

/** A WAV with the plain 44-byte header: mono, 16 bits. */
function wavSamples(wav: Buffer): Float32Array {
  const start = wav.indexOf('data') + 8;
  const samples = new Float32Array((wav.length - start) >> 1);
  for (let i = 0; i < samples.length; i++) samples[i] = wav.readInt16LE(start + i * 2) / 32768;
  return samples;
}

async function sourcesHash(): Promise<string> {
  const hash = createHash('sha256');
  const sources = (await readdir(import.meta.dirname)).filter((name) => /(?<!\.test)\.ts$/.test(name));
  for (const name of sources.sort()) hash.update(await readFile(path.join(import.meta.dirname, name)));
  return hash.digest('hex').slice(0, 16);
}

/** One process at a time; a lock whose process is gone counts for nothing. */
async function withLock(file: string, work: () => Promise<void>): Promise<void> {
  for (;;) {
    try {
      await writeFile(file, String(process.pid), { flag: 'wx' });
      break;
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
    }
    const holder = Number(await readFile(file, 'utf8').catch(() => ''));
    if (holder > 0 && !isRunning(holder)) await rm(file, { force: true });
    await sleep(200);
  }
  try {
    await work();
  } finally {
    await rm(file, { force: true });
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}
