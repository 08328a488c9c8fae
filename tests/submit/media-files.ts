/** Small media of every sort, made here: containers by mediabunny's writer, pictures by sharp. */
import {
  BufferTarget,
  EncodedAudioPacketSource,
  EncodedPacket,
  EncodedVideoPacketSource,
  MkvOutputFormat,
  Mp4OutputFormat,
  Output,
  type OutputFormat,
  WavOutputFormat,
  WebMOutputFormat,
} from 'mediabunny';
import sharp from 'sharp';

const sampleRate = 8000;

interface FilmOptions {
  width?: number;
  height?: number;
  seconds?: number;
}

/** The pictures in it are noise that no decoder takes: what is tested here reads the container only. */
async function film(
  format: OutputFormat,
  { width = 320, height = 240, seconds = 2 }: FilmOptions = {},
): Promise<Buffer> {
  const output = new Output({ format, target: new BufferTarget() });
  const video = new EncodedVideoPacketSource('vp9');
  output.addVideoTrack(video);
  await output.start();
  for (let i = 0; i < seconds; i++) {
    await video.add(new EncodedPacket(new Uint8Array(5000).fill(i), 'key', i, 1), {
      decoderConfig: { codec: 'vp09.00.10.08', codedWidth: width, codedHeight: height },
    });
  }
  await output.finalize();
  return Buffer.from((output.target as BufferTarget).buffer!);
}

async function sound(format: OutputFormat, seconds: number): Promise<Buffer> {
  const output = new Output({ format, target: new BufferTarget() });
  const audio = new EncodedAudioPacketSource('pcm-s16');
  output.addAudioTrack(audio);
  await output.start();
  for (let i = 0; i < seconds; i++) {
    await audio.add(new EncodedPacket(new Uint8Array(sampleRate * 2), 'key', i, 1), {
      decoderConfig: { codec: 'pcm-s16', numberOfChannels: 1, sampleRate },
    });
  }
  await output.finalize();
  return Buffer.from((output.target as BufferTarget).buffer!);
}

export const mp4 = (options?: FilmOptions) => film(new Mp4OutputFormat(), options);
/** With its index at the front, so that a part of it is missing where it is cut. */
export const fastStartMp4 = (options?: FilmOptions) =>
  film(new Mp4OutputFormat({ fastStart: 'in-memory' }), options);
/** With its index at the end. */
export const endIndexedMp4 = (options?: FilmOptions) =>
  film(new Mp4OutputFormat({ fastStart: false }), options);
export const mkv = (options?: FilmOptions) => film(new MkvOutputFormat(), options);
export const webm = (options?: FilmOptions) => film(new WebMOutputFormat(), options);
export const wav = (seconds = 1) => sound(new WavOutputFormat(), seconds);

export type PictureType = 'png' | 'jpeg' | 'webp' | 'gif' | 'tiff' | 'avif';

export async function picture(type: PictureType = 'png', width = 64, height = 48): Promise<Buffer> {
  const noise = { type: 'gaussian', mean: 120, sigma: 60 } as const;
  return sharp({ create: { width, height, channels: 3, background: 'black', noise } })
    .toFormat(type)
    .toBuffer();
}

/** 10,001 x 10,000 in some kilobytes. */
export async function hugePicture(): Promise<Buffer> {
  return sharp({ create: { width: 10_001, height: 10_000, channels: 3, background: 'white' } })
    .png({ compressionLevel: 9 })
    .toBuffer();
}

/** An AVI's first bytes: only the worker can say more. */
export function avi(): Buffer {
  return Buffer.concat([Buffer.from('RIFF\x10\x27\0\0AVI LIST', 'latin1'), Buffer.alloc(10_000, 7)]);
}
