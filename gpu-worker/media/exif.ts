/**
 * What a camera writes into its pictures: Exif (CIPA DC-008, "Exif 3.0"), a TIFF structure of
 * directories whose entries are a tag, a type, a count and a value or where it lies.
 *
 * Only the tags that are wanted are read, each to a bounded length. The libraries for it read all of
 * them, and a file of 64 KB can have thousands of entries that all point to the same 64 KB.
 */
import type { Exif } from '../../functions/core/results/run.ts';
import { plainText } from './plain-text.ts';

/** Cameras write some dozens. */
const maxEntries = 500;
const maxText = 200;

/** By type: bytes of one value. Texts are types 2 and 129 (UTF-8, since Exif 3.0). */
const sizes: Record<number, number> = { 1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 7: 1, 9: 4, 10: 8, 129: 1 };

interface Entry {
  type: number;
  count: number;
  at: number;
}

type Directory = ReadonlyMap<number, Entry>;

/** @returns null where it is no Exif, or says nothing that is wanted. Never throws. */
export function readExif(bytes: Uint8Array): Exif | null {
  const isPrefixed = Buffer.from(bytes.subarray(0, 6)).toString('latin1') === 'Exif\0\0';
  const tiff = new Tiff(isPrefixed ? bytes.subarray(6) : bytes);
  const main = tiff.directory(tiff.firstDirectory);
  const photo = tiff.directory(tiff.number(main, 0x8769));
  const place = tiff.directory(tiff.number(main, 0x8825));
  const orientation = tiff.number(main, 0x0112);
  const flash = tiff.number(photo, 0x9209);
  const exif: Exif = {
    make: tiff.text(main, 0x010f),
    model: tiff.text(main, 0x0110),
    lens: tiff.text(photo, 0xa434),
    software: tiff.text(main, 0x0131),
    description: tiff.text(main, 0x010e),
    artist: tiff.text(main, 0x013b),
    copyright: tiff.text(main, 0x8298),
    takenAt: takenAt(tiff, main, photo),
    exposureSeconds: positive(tiff.number(photo, 0x829a)),
    fNumber: positive(tiff.number(photo, 0x829d)),
    iso: positive(tiff.number(photo, 0x8827)),
    focalLengthMm: positive(tiff.number(photo, 0x920a)),
    focalLength35mm: positive(tiff.number(photo, 0xa405)),
    flash: flash === null ? null : (flash & 1) === 1,
    orientation: orientation !== null && orientation >= 1 && orientation <= 8 ? orientation : null,
    gps: positionOf(tiff, place),
  };
  return Object.values(exif).some((value) => value !== null) ? exif : null;
}

/** Bytes as a TIFF structure; what lies outside of them is not there. */
class Tiff {
  readonly #view: DataView;
  readonly #isLittle: boolean;
  readonly firstDirectory: number | null;

  constructor(bytes: Uint8Array) {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const mark = bytes.length >= 8 ? this.#view.getUint16(0) : 0;
    this.#isLittle = mark === 0x4949;
    const isTiff = (this.#isLittle || mark === 0x4d4d) && this.#view.getUint16(2, this.#isLittle) === 42;
    this.firstDirectory = isTiff ? this.#view.getUint32(4, this.#isLittle) : null;
  }

  /** The entries at an offset, of which the first of a tag counts. */
  directory(offset: number | null): Directory {
    const entries = new Map<number, Entry>();
    if (offset === null || offset + 2 > this.#view.byteLength) return entries;
    const count = Math.min(this.#view.getUint16(offset, this.#isLittle), maxEntries);
    for (let at = offset + 2; at < offset + 2 + count * 12; at += 12) {
      if (at + 12 > this.#view.byteLength) break;
      const tag = this.#view.getUint16(at, this.#isLittle);
      const type = this.#view.getUint16(at + 2, this.#isLittle);
      const values = this.#view.getUint32(at + 4, this.#isLittle);
      const size = values * (sizes[type] ?? Number.POSITIVE_INFINITY);
      const valueAt = size <= 4 ? at + 8 : this.#view.getUint32(at + 8, this.#isLittle);
      const isInside = size > 0 && valueAt + size <= this.#view.byteLength;
      if (isInside && !entries.has(tag)) entries.set(tag, { type, count: values, at: valueAt });
    }
    return entries;
  }

  text(directory: Directory, tag: number): string | null {
    const entry = directory.get(tag);
    if (!entry || (entry.type !== 2 && entry.type !== 129)) return null;
    const { byteOffset, buffer } = this.#view;
    const bytes = new Uint8Array(buffer, byteOffset + entry.at, Math.min(entry.count, maxText * 4));
    const end = bytes.indexOf(0);
    return plainText(new TextDecoder().decode(end < 0 ? bytes : bytes.subarray(0, end)), maxText);
  }

  /** One of the values of a number or a fraction; null where it is none. */
  number(directory: Directory, tag: number, index = 0): number | null {
    const entry = directory.get(tag);
    if (!entry || index >= entry.count) return null;
    const at = entry.at + index * sizes[entry.type]!;
    const [view, isLittle] = [this.#view, this.#isLittle];
    switch (entry.type) {
      case 1:
        return view.getUint8(at);
      case 3:
        return view.getUint16(at, isLittle);
      case 4:
        return view.getUint32(at, isLittle);
      case 9:
        return view.getInt32(at, isLittle);
      case 5:
        return fraction(view.getUint32(at, isLittle), view.getUint32(at + 4, isLittle));
      case 10:
        return fraction(view.getInt32(at, isLittle), view.getInt32(at + 4, isLittle));
      default:
        return null;
    }
  }
}

const fraction = (num: number, den: number) => (den === 0 ? null : rounded(num / den, 9));
const rounded = (value: number, digits: number) => Number(value.toFixed(digits));
const positive = (value: number | null) => (value !== null && value > 0 ? value : null);

/** Of the exposure, else of its storing, else of the file's last change: `2024-05-01T12:30:00+02:00`. */
function takenAt(tiff: Tiff, main: Directory, photo: Directory): string | null {
  const stamps: [string | null, string | null][] = [
    [tiff.text(photo, 0x9003), tiff.text(photo, 0x9011)],
    [tiff.text(photo, 0x9004), tiff.text(photo, 0x9012)],
    [tiff.text(main, 0x0132), tiff.text(photo, 0x9010)],
  ];
  for (const [stamp, offset] of stamps) {
    const match = /^(\d{4}):(\d\d):(\d\d) (\d\d:\d\d:\d\d)$/.exec(stamp ?? '');
    const local = match && `${match[1]}-${match[2]}-${match[3]}T${match[4]}`;
    // A camera whose clock was never set writes zeros.
    if (!local || !isTime(local)) continue;
    return local + (offset !== null && /^[+-]\d\d:\d\d$/.test(offset) ? offset : '');
  }
  return null;
}

function isTime(local: string): boolean {
  const time = new Date(`${local}Z`);
  return !Number.isNaN(time.getTime()) && time.toISOString().startsWith(local);
}

function positionOf(tiff: Tiff, place: Directory): Exif['gps'] {
  const degrees = (tag: number, negative: string) => {
    const [whole, minutes, seconds] = [0, 1, 2].map((index) => tiff.number(place, tag, index));
    if (whole == null || minutes == null) return null;
    const value = whole + minutes / 60 + (seconds ?? 0) / 3600;
    return rounded(tiff.text(place, tag - 1)?.toUpperCase() === negative ? -value : value, 7);
  };
  const [latitude, longitude] = [degrees(2, 'S'), degrees(4, 'W')];
  if (latitude === null || longitude === null) return null;
  if (Math.abs(latitude) > 90 || Math.abs(longitude) > 180) return null;
  const height = tiff.number(place, 6);
  const altitudeM = height !== null && tiff.number(place, 5) === 1 ? -height : height;
  return { latitude, longitude, altitudeM };
}
