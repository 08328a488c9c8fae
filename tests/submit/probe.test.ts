import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { inspect } from '../../functions/core/media/inspection.ts';
import { headBytes, type MediumFacts, probe } from '../../functions/core/media/probe.ts';
import * as media from './media-files.ts';

interface Probed {
  facts: MediumFacts;
  requests: number;
  bytes: number;
}

async function probed(file: Buffer): Promise<Probed> {
  let requests = 0;
  let bytes = 0;
  const facts = await probe({
    sizeBytes: file.length,
    head: file.subarray(0, headBytes),
    fetchRange: async (start, end) => {
      expect(start).toBeLessThan(end);
      expect(end).toBeLessThanOrEqual(file.length);
      requests += 1;
      bytes += end - start;
      return file.subarray(start, end);
    },
  });
  return { facts, requests, bytes };
}

/** Format tag 2, Microsoft's ADPCM. */
function adpcm(): Buffer {
  const format = Buffer.alloc(16);
  for (const [at, value] of [
    [0, 2],
    [2, 1],
    [4, 8000],
    [12, 256],
    [14, 4],
  ] as const)
    format.writeUInt16LE(value, at);
  const chunk = (name: string, body: Buffer) => {
    const head = Buffer.from(`${name}....`);
    head.writeUInt32LE(body.length, 4);
    return Buffer.concat([head, body]);
  };
  const body = Buffer.concat([Buffer.from('WAVE'), chunk('fmt ', format), chunk('data', Buffer.alloc(5120))]);
  return chunk('RIFF', body);
}

function theora(): Buffer {
  const page = Buffer.concat([
    Buffer.from('OggS\0\x02'),
    Buffer.alloc(22),
    Buffer.from('\x80theora\x03\x02\x01', 'latin1'),
  ]);
  return Buffer.concat([page, Buffer.alloc(2000)]);
}

/** Ten frames of 128 kbit/s at 44.1 kHz: 417 bytes each. */
function mp3AfterZeros(): Buffer {
  const frame = Buffer.concat([Buffer.from([0xff, 0xfb, 0x90, 0x00]), Buffer.alloc(413)]);
  return Buffer.concat([Buffer.alloc(300), ...Array.from({ length: 10 }, () => frame)]);
}

const failure = (code: string, sentence: RegExp) =>
  expect.objectContaining({ code, message: expect.stringMatching(sentence) });

describe('what a medium is', () => {
  const film = { kind: 'video' as const, width: 320, height: 240, durationMs: 2000 };
  test.each<[string, () => Promise<Buffer>, Partial<MediumFacts>]>([
    ['MP4 with its index in front', media.fastStartMp4, { ...film, contentType: 'video/mp4' }],
    ['MP4 with its index at the end', media.endIndexedMp4, { ...film, contentType: 'video/mp4' }],
    ['Matroska', media.mkv, { ...film, contentType: 'video/x-matroska' }],
    ['WebM', media.webm, { ...film, contentType: 'video/webm' }],
    [
      'WAV',
      () => media.wav(3),
      { kind: 'audio', durationMs: 3000, width: null, height: null, contentType: 'audio/wav' },
    ],
    ...(['png', 'jpeg', 'webp', 'gif', 'tiff', 'avif'] as const).map(
      (type) =>
        [
          type,
          () => media.picture(type, 64, 48),
          { kind: 'image', durationMs: null, width: 64, height: 48, contentType: `image/${type}` },
        ] as [string, () => Promise<Buffer>, Partial<MediumFacts>],
    ),
    ['WAV with a codec for the worker only', async () => adpcm(), { kind: 'audio', durationMs: null }],
    [
      'Ogg with Theora, which passes on',
      async () => theora(),
      { kind: 'video', durationMs: null, contentType: 'video/ogg' },
    ],
    ['MP3 after some zeros', async () => mp3AfterZeros(), { kind: 'audio', contentType: 'audio/mpeg' }],
    [
      'AVI, which passes on',
      async () => media.avi(),
      { kind: 'video', durationMs: null, contentType: 'video/x-msvideo' },
    ],
  ])('%s', async (_, make, facts) => {
    expect((await probed(await make())).facts).toMatchObject(facts);
  });

  test('a picture that a camera turned', async () => {
    const { default: sharp } = await import('sharp');
    const turned = await sharp(await media.picture('jpeg', 64, 48))
      .withMetadata({ orientation: 6 })
      .toBuffer();
    expect((await probed(turned)).facts).toMatchObject({ width: 48, height: 64 });
  });

  test('of a large film only the index is read', async () => {
    const film = await media.endIndexedMp4({ seconds: 2000 });
    expect(film.length).toBeGreaterThan(9_000_000);
    const { facts, bytes, requests } = await probed(film);
    expect(facts.durationMs).toBe(2_000_000);
    expect(bytes).toBeLessThan(400_000);
    expect(requests).toBeLessThan(5);
  });
});

describe('what is no medium, or not a whole one', () => {
  const cut = (file: Buffer, share: number) => file.subarray(0, Math.floor(file.length * share));
  test.each<[string, () => Promise<Buffer>, string, RegExp]>([
    ['an empty file', async () => Buffer.alloc(0), 'broken_media', /empty/],
    ['a text file', async () => Buffer.from('Hello, I am not a film.'), 'unsupported_media', /a text file/],
    [
      'text with accents, cut inside a character',
      async () => Buffer.from('ä'.repeat(3000)).subarray(1),
      'unsupported_media',
      /not a picture/,
    ],
    ['a PDF', async () => Buffer.from('%PDF-1.7\n...'), 'unsupported_media', /PDF/],
    ['a web page', async () => Buffer.from('\n<!DOCTYPE HTML><p>'), 'unsupported_media', /web page/],
    [
      'a playlist',
      async () => Buffer.from('#EXTM3U\nhttps://example.com/a.ts'),
      'unsupported_media',
      /playlist/,
    ],
    ['an archive', async () => Buffer.from('PK\x03\x04....'), 'unsupported_media', /ZIP/],
    ['noise', async () => Buffer.alloc(5000, 'q\x00\xfe'), 'unsupported_media', /unknown type/],
    ['one byte', async () => Buffer.from([0]), 'unsupported_media', /unknown type/],
    ['a HEIC picture', async () => Buffer.from('\0\0\0\x18ftypheic\0\0\0\0'), 'unsupported_media', /HEIC/],
    [
      'an MP4 without its index',
      async () => cut(await media.endIndexedMp4(), 0.6),
      'broken_media',
      /index \(moov\) is missing/,
    ],
    [
      'an MP4 of which the end is missing',
      async () => cut(await media.fastStartMp4(), 0.5),
      'broken_media',
      /about 50 % of it/,
    ],
    ['an MP4 of 40 bytes', async () => cut(await media.mp4(), 0.004), 'broken_media', /too early/],
    ['a picture cut in half', async () => cut(await media.picture('png'), 0.5), 'broken_media', /too early/],
    [
      'a JPEG cut in half',
      async () => cut(await media.picture('jpeg', 400, 400), 0.5),
      'broken_media',
      /too early/,
    ],
    ['a WebP cut in half', async () => cut(await media.picture('webp'), 0.5), 'broken_media', /too early/],
    [
      'a JPEG of ten bytes',
      async () => (await media.picture('jpeg')).subarray(0, 10),
      'broken_media',
      /damaged/,
    ],
    ['a picture of 100 million pixels and more', media.hugePicture, 'media_too_large', /10001 × 10000/],
    [
      'a film with pictures too large',
      () => media.mp4({ width: 16_000, height: 9000 }),
      'media_too_large',
      /16000 × 9000/,
    ],
    [
      'Matroska with nothing in it',
      async () => cut(await media.mkv(), 0.005),
      'unsupported_media',
      /neither picture nor sound/,
    ],
    [
      'a WAV whose header is noise',
      async () => Buffer.concat([Buffer.from('RIFF....WAVE'), Buffer.alloc(99, 7)]),
      'broken_media',
      /damaged/,
    ],
  ])('%s', async (_, make, code, sentence) => {
    await expect(probed(await make())).rejects.toEqual(failure(code, sentence));
  });
});

test('whatever the bytes, it ends with facts or a sentence', async () => {
  const starts = [
    ...[
      '\xff\xd8\xff',
      '\x89PNG\r\n\x1a\n',
      'RIFF....WEBP',
      'GIF89a',
      'II*\0',
      '\0\0\0\x20ftypavif',
      '\0\0\0\x20ftypisom',
    ],
    ...['\x1aE\xdf\xa3', 'RIFF....WAVE', 'OggS', 'fLaC', 'ID3\x04', '\xff\xfb\x90', '\xff\xf1\x50', 'BM', ''],
  ];
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...starts), fc.uint8Array({ maxLength: 3000 }), async (start, rest) => {
      const file = Buffer.concat([Buffer.from(start, 'latin1'), rest]);
      const outcome = await probed(file).catch((error: { code?: string }) => error);
      if ('facts' in outcome) expect(outcome.facts).toHaveProperty('kind');
      else
        expect(['broken_media', 'unsupported_media', 'media_too_large']).toContain(
          (outcome as { code?: string }).code,
        );
    }),
    { numRuns: 500 },
  );
});

test.each([
  ['stsd', 8, 'more kinds of samples than there is room for'],
  ['stsc', 16, 'chunks of more samples than there are'],
  ['stts', 12, 'times of more samples than there are'],
  ['stsz', 12, 'more samples than there is room for'],
])('an index whose %s (at %i) promises %s is not believed', async (type, at) => {
  const file = Buffer.from(await media.mp4());
  file.writeUInt32BE(0xffff_fff0, file.indexOf(type) + at);
  await expect(probed(file)).rejects.toMatchObject({ code: 'broken_media' });
});

test('real media with some bytes changed end so too', async () => {
  const files = [
    await media.mp4(),
    await media.mkv(),
    await media.wav(),
    await media.picture('jpeg'),
    await media.picture('png'),
  ];
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...files),
      fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 20 }),
      async (file, changes) => {
        const changed = Buffer.from(file);
        for (const [at, byte] of changes) changed[at % Math.min(file.length, 2000)] = byte;
        const outcome = await probed(changed).catch((error: { code?: string }) => error);
        if ('facts' in outcome) expect(outcome.facts).toHaveProperty('kind');
        else
          expect(['broken_media', 'unsupported_media', 'media_too_large']).toContain(
            (outcome as { code?: string }).code,
          );
      },
    ),
    { numRuns: 300 },
  );
});

test('what takes too long is given up, and others are looked into meanwhile and after', async () => {
  const file = await media.fastStartMp4();
  const signature = { is: 'container' as const, format: 'mp4' as const };
  const medium = { sizeBytes: file.length + 1, head: file.subarray(0, 8), signature };
  const never = new Promise<Uint8Array>(() => {});
  const [slow, other] = await Promise.all([inspect(medium, () => never, 1_000), probed(file)]);
  expect(slow).toBeNull();
  expect(other.facts).toMatchObject({ kind: 'video' });
  expect((await probed(file)).facts).toMatchObject({ kind: 'video' });
});

test('what the object store fails with is thrown as it is', async () => {
  const failure = new Error('the object store is away');
  const medium = {
    sizeBytes: 100_000,
    head: new Uint8Array(8),
    signature: { is: 'container' as const, format: 'mp4' as const },
  };
  await expect(inspect(medium, () => Promise.reject(failure), 10_000)).rejects.toBe(failure);
});
