import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Exif } from '../../functions/core/results/run.ts';
import { readExif } from '../../gpu-worker/media/exif.ts';
import { probeMedium } from '../../gpu-worker/media/probe.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'aima-exif-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const blank = () => sharp({ create: { width: 60, height: 40, channels: 3, background: '#456' } });

const camera = {
  IFD0: {
    Make: 'Fujifilm',
    Model: 'X-T5',
    Software: 'Ver 2.00',
    Artist: 'Zoe Miller',
    Copyright: 'CC0',
    ImageDescription: 'By the lake',
    DateTime: '2024:05:03 08:00:00',
  },
  IFD2: {
    DateTimeOriginal: '2024:05:01 12:30:00',
    OffsetTimeOriginal: '+02:00',
    ExposureTime: '1/250',
    FNumber: '28/10',
    ISOSpeedRatings: '400',
    FocalLength: '35/1',
    FocalLengthIn35mmFilm: '53',
    LensModel: 'XF35mmF1.4 R',
    Flash: '1',
  },
  IFD3: {
    GPSLatitudeRef: 'S',
    GPSLatitude: '33/1 51/1 2436/100',
    GPSLongitudeRef: 'E',
    GPSLongitude: '151/1 12/1 5400/100',
    GPSAltitude: '125/10',
  },
};

const told = {
  ...{ make: 'Fujifilm', model: 'X-T5', lens: 'XF35mmF1.4 R', software: 'Ver 2.00' },
  ...{ description: 'By the lake', artist: 'Zoe Miller', copyright: 'CC0' },
  takenAt: '2024-05-01T12:30:00+02:00',
  ...{ exposureSeconds: 0.004, fNumber: 2.8, iso: 400, focalLengthMm: 35, focalLength35mm: 53 },
  ...{ flash: true, gps: { latitude: -33.8567667, longitude: 151.215, altitudeM: 12.5 } },
};

describe('what a camera says', () => {
  it('is read from every kind of picture that can carry it', async () => {
    for (const format of ['jpeg', 'png', 'webp', 'avif'] as const) {
      const file = path.join(folder, `camera.${format}`);
      await blank().withExif(camera).toFormat(format).toFile(file);
      expect((await probeMedium({ path: file })).exif).toMatchObject(told);
    }
  });

  it('says how the picture lies, as its turn does', async () => {
    const file = path.join(folder, 'side.jpg');
    await blank().withExif(camera).withMetadata({ orientation: 6 }).jpeg().toFile(file);
    expect(await probeMedium({ path: file })).toMatchObject({
      ...{ width: 40, height: 60, rotation: 90 },
      exif: { orientation: 6, make: 'Fujifilm' },
    });
  });

  it('is null where there is none', async () => {
    const file = path.join(folder, 'plain.jpg');
    await blank().jpeg().toFile(file);
    expect((await probeMedium({ path: file })).exif).toBeNull();
  });

  it('goes with the hash of the file', async () => {
    const file = path.join(folder, 'hash.png');
    await blank().png().toFile(file);
    const sha256 = createHash('sha256')
      .update(await readFile(file))
      .digest('hex');
    expect((await probeMedium({ path: file })).sha256).toBe(sha256);
  });

  it('in times and places that cannot be is not repeated', async () => {
    const file = path.join(folder, 'never.jpg');
    const never = {
      IFD0: { Make: 'X', DateTime: '2023:06:07 08:09:10' },
      IFD2: {
        DateTimeOriginal: '0000:00:00 00:00:00',
        DateTimeDigitized: '2024:02:30 10:00:00',
        ExposureTime: '1/0',
      },
      IFD3: {
        GPSLatitudeRef: 'N',
        GPSLatitude: '91/1 0/1 0/1',
        GPSLongitudeRef: 'E',
        GPSLongitude: '1/1 0/1 0/1',
      },
    };
    await blank().withExif(never).jpeg().toFile(file);
    expect((await probeMedium({ path: file })).exif).toMatchObject({
      ...{ takenAt: '2023-06-07T08:09:10', exposureSeconds: null, gps: null },
    });
  });
});

/** A directory of a little-endian TIFF: entries of [tag, type, count, value or offset]. */
function tiff(entries: [number, number, number, number][], tail = Buffer.alloc(0)): Buffer {
  const bytes = Buffer.alloc(8 + 2 + entries.length * 12 + 4);
  bytes.write('II*\0', 'latin1');
  bytes.writeUInt32LE(8, 4);
  bytes.writeUInt16LE(entries.length, 8);
  for (const [index, [tag, type, count, value]] of entries.entries()) {
    const at = 10 + index * 12;
    bytes.writeUInt16LE(tag, at);
    bytes.writeUInt16LE(type, at + 2);
    bytes.writeUInt32LE(count, at + 4);
    bytes.writeUInt32LE(value, at + 8);
  }
  return Buffer.concat([bytes, tail]);
}

it('places below the sea, and names that are not English', () => {
  const name = Buffer.from('Zoë Müller, Łódź\0');
  // Behind the name: four entries of the place, then its fractions.
  const [placeAt, numbersAt] = [38 + name.length, 38 + name.length + 2 + 6 * 12];
  const place = tiff([
    [1, 2, 2, 'S'.charCodeAt(0)],
    [2, 5, 3, numbersAt],
    [3, 2, 2, 'W'.charCodeAt(0)],
    [4, 5, 3, numbersAt],
    [5, 1, 1, 1],
    [6, 5, 1, numbersAt],
  ]).subarray(8, 8 + 2 + 6 * 12);
  const numbers = Buffer.alloc(24);
  [21, 2, 30, 1, 0, 1].forEach((value, index) => {
    numbers.writeUInt32LE(value, index * 4);
  });
  const main: [number, number, number, number][] = [
    [0x013b, 2, name.length, 38],
    [0x8825, 4, 1, placeAt],
  ];
  expect(readExif(tiff(main, Buffer.concat([name, place, numbers])))).toMatchObject({
    artist: 'Zoë Müller, Łódź',
    gps: { latitude: -11, longitude: -11, altitudeM: -10.5 },
  });
});

describe('what a stranger says', () => {
  it('is text without control characters, of bounded length', () => {
    const text = Buffer.from(`a\x01\x1b[31mb\u202ec\n${'ä'.repeat(60_000)}`);
    const exif = readExif(tiff([[0x010f, 2, text.length, 26]], text))!;
    expect(exif.make!.startsWith('a [31mb c ää')).toBe(true);
    expect(exif.make).toHaveLength(200);
    const ended = Buffer.from('Canon\0\0secret');
    expect(readExif(tiff([[0x010f, 2, ended.length, 26]], ended))!.make).toBe('Canon');
  });

  it('that points outside, to itself, or has the wrong type, is not there', () => {
    expect(readExif(tiff([[0x010f, 2, 4000, 26]]))).toBeNull();
    expect(readExif(tiff([[0x010f, 2, 0xffffffff, 0xfffffff0]]))).toBeNull();
    expect(readExif(tiff([[0x010f, 5, 1, 8]]))).toBeNull();
    expect(readExif(tiff([[0x010f, 99, 1, 8]]))).toBeNull();
    // Its directory of the photo is the main one.
    expect(readExif(tiff([[0x8769, 4, 1, 8]]))).toBeNull();
    expect(readExif(tiff([[0x0112, 3, 1, 9]]))).toBeNull();
    expect(readExif(Buffer.from('Exif\0\0II*\0'))).toBeNull();
  });

  it('ten thousand times over is read once', () => {
    const tail = Buffer.alloc(60_000, 'x');
    const same = Array.from({ length: 5000 }, (_, i): [number, number, number, number] => [
      ...([i < 4999 ? 0x010f : 0x0110, 2, tail.length, 10 + 5000 * 12 + 4] as const),
    ]);
    // The last one is beyond what a camera would write.
    expect(readExif(tiff(same, tail))).toMatchObject({ make: 'x'.repeat(200), model: null });
  });

  it('never throws, and is always of our shape', async () => {
    const file = path.join(folder, 'seed.jpg');
    await blank().withExif(camera).jpeg().toFile(file);
    const { exif } = await sharp(file).metadata();
    const mutations = fc.array(fc.tuple(fc.nat(exif!.length - 1), fc.nat(255)), { maxLength: 12 });
    fc.assert(
      fc.property(mutations, fc.nat(exif!.length), (changes, length) => {
        const bytes = Buffer.from(exif!);
        for (const [at, value] of changes) bytes[at] = value;
        for (const read of [readExif(bytes), readExif(bytes.subarray(0, length))]) {
          expect(Exif.nullable().safeParse(read).success).toBe(true);
          expect(JSON.stringify(read)).not.toMatch(/\\u00[01]|\\ud[89a-f]/);
        }
      }),
      { numRuns: 2000 },
    );
  });

  it('in a picture with a broken one does not keep the picture from being read', async () => {
    const file = path.join(folder, 'broken.jpg');
    await blank().withExif(camera).jpeg().toFile(file);
    const bytes = await readFile(file);
    bytes.fill(0xff, bytes.indexOf('II*\0') + 4, bytes.indexOf('II*\0') + 200);
    await writeFile(file, bytes);
    expect(await probeMedium({ path: file })).toMatchObject({ kind: 'image', width: 60, exif: null });
  });
});
