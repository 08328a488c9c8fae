import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Demuxer, Muxer } from 'node-av/api';
import { Dictionary } from 'node-av/lib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MediumReport } from '../../functions/core/results/run.ts';
import { plainText } from '../../gpu-worker/media/plain-text.ts';
import { probeMedium } from '../../gpu-worker/media/probe.ts';
import { type TestMedia, testMedia } from '../media/test-media.ts';

let media: TestMedia;
let folder: string;
beforeAll(async () => {
  media = await testMedia();
  folder = await mkdtemp(path.join(tmpdir(), 'aima-tags-'));
}, 240_000);
afterAll(() => rm(folder, { recursive: true, force: true }));

/** The same streams in a container with these tags. */
async function tagged(source: string, name: string, tags: Record<string, string>, languages: string[] = []) {
  const file = path.join(folder, name);
  const input = await Demuxer.open(source);
  const output = await Muxer.open(file, {
    options: name.endsWith('.mp4') ? { movflags: 'use_metadata_tags' } : {},
    configure(format) {
      format.metadata = Dictionary.fromObject(tags);
      for (const [index, stream] of format.streams.entries()) {
        stream.metadata = Dictionary.fromObject({ language: languages[index] ?? 'und' });
      }
    },
  });
  const indexes = input.streams.map((stream) => output.addStream(stream));
  for await (const packet of input.packets()) {
    if (!packet) break;
    await output.writePacket(packet, indexes[packet.streamIndex]!);
    packet.free();
  }
  await output.close();
  await input.close();
  return file;
}

describe('a container', () => {
  it('tells its title and the like, in MP4, Matroska, MP3 and WAV', async () => {
    const tags = {
      title: 'Über den Fluß',
      artist: 'Ann & Bob',
      genre: 'Speech',
      comment: 'Take 2',
      date: '2024',
    };
    const files = [
      await tagged(media.clip, 'a.mp4', tags),
      await tagged(media.clipWebm, 'a.mkv', tags),
      await tagged(media.mp3, 'a.mp3', tags),
      await tagged(media.wav, 'a.wav', tags),
    ];
    for (const file of files) expect((await probeMedium({ path: file })).tags).toMatchObject(tags);
  });

  it('tells when and with what it was made, whoever it calls it', async () => {
    const file = await tagged(media.silent, 'phone.mp4', {
      'com.apple.quicktime.make': 'Apple',
      'com.apple.quicktime.model': 'iPhone 15',
      'com.apple.quicktime.location.ISO6709': '+48.1372+011.5755/',
      'com.example.secret': 'not of interest',
    });
    expect((await probeMedium({ path: file })).tags).toEqual({
      ...{ make: 'Apple', model: 'iPhone 15', location: '+48.1372+011.5755/' },
      encoder: expect.stringMatching(/^Lavf/),
    });
  });

  it('tells when it was made, in one way', async () => {
    const made = { creation_time: '2024-05-01T10:30:00.000000Z' };
    for (const file of [
      await tagged(media.silent, 'time.mov', made),
      await tagged(media.silent, 'time.mkv', made),
    ])
      expect((await probeMedium({ path: file })).tags).toMatchObject({ creationTime: made.creation_time });
  });

  it('is not believed: no control characters, no end of the line, no megabytes', async () => {
    const title = `A\u0007\u001b[2Jtitle\r\nof \u202etwo ${'\u{1f600}'.repeat(500_000)}`;
    const file = await tagged(media.wav, 'hostile.mkv', {
      title,
      artist: ' \u0001\n',
      album: 'x'.repeat(3e6),
    });
    const { tags } = await probeMedium({ path: file });
    expect(tags.title!.startsWith('A [2Jtitle of two \u{1f600}')).toBe(true);
    expect(tags.title!.length).toBeLessThanOrEqual(500);
    expect(tags.title!.isWellFormed()).toBe(true);
    expect(tags.album).toBe('x'.repeat(500));
    expect(tags).not.toHaveProperty('artist');
  });
});

describe('streams', () => {
  it('tell their coding, size, rates and language', async () => {
    const file = await tagged(media.clip, 'two.mp4', {}, ['deu', 'eng']);
    const { streams } = await probeMedium({ path: file });
    const [video, audio] = streams;
    expect(video).toMatchObject({
      ...{ index: 0, type: 'video', codec: 'h264', width: 640, height: 360, fps: 25, pixelFormat: 'yuv420p' },
      ...{ sampleRate: null, channels: null, language: 'deu' },
    });
    expect(video!.bitRate).toBeGreaterThan(50_000);
    expect(audio).toMatchObject({
      ...{ index: 1, type: 'audio', codec: 'aac', width: null, height: null, fps: null, pixelFormat: null },
      ...{ sampleRate: 16_000, channels: 1, language: 'eng' },
    });
  });

  it('are as stored where the film is turned, and of no language where none is told', async () => {
    const { streams, width } = await probeMedium({ path: media.phone });
    expect([streams[0]!.width, streams[0]!.height, width]).toEqual([640, 360, 360]);
    expect(streams[0]!.language).toBeNull();
  });
});

it('a small file is known by its hash, a large one is not read for it', async () => {
  const sha256 = createHash('sha256')
    .update(await readFile(media.mp3))
    .digest('hex');
  expect((await probeMedium({ path: media.mp3 })).sha256).toBe(sha256);
  expect((await probeMedium({ path: media.talk })).sha256).toBeNull();
});

it('reports of earlier workers are still read', () => {
  const earlier = {
    ...{ kind: 'video', container: 'mp4', durationMs: 1000, width: 2, height: 2, fps: 25, rotation: 0 },
    streams: [{ type: 'video', codec: 'h264' }],
  };
  const { tags, exif, sha256, bitRate, streams } = MediumReport.parse(earlier);
  expect({ tags, exif, sha256, bitRate }).toEqual({ tags: {}, exif: null, sha256: null, bitRate: null });
  expect(streams[0]).toMatchObject({ codec: 'h264', width: null, language: null });
});

describe('text', () => {
  it('keeps what people write, and loses halves of characters', () => {
    expect(plainText(' Größe \u{1f600} “x” ', 50)).toBe('Größe \u{1f600} “x”');
    expect(plainText('ab\u{1f600}', 3)).toBe('ab');
    expect(plainText('\ud83d a \ude00', 50)).toBe('a');
    expect(plainText('a\0b\u0085c', 50)).toBe('a b c');
    for (const none of [null, undefined, '', ' \n\0']) expect(plainText(none, 50)).toBeNull();
  });
});
