/**
 * What a file is, from its first bytes. Names and declared types are claims; the bytes are not.
 * Source: the formats' own specifications, and the signatures in libmagic and FFmpeg's demuxers.
 */

export type PictureFormat = 'jpeg' | 'png' | 'webp' | 'gif' | 'tiff' | 'avif';
/** Containers whose content can be told here, from their index. */
export type ContainerFormat = 'mp4' | 'matroska' | 'wav' | 'ogg' | 'mp3' | 'aac' | 'flac';

export type Signature =
  | { is: 'picture'; format: PictureFormat; contentType: string }
  | { is: 'container'; format: ContainerFormat }
  /** A film or sound that FFmpeg reads and we do not: the worker shall see. */
  | { is: 'exotic'; kind: 'audio' | 'video' | null; contentType: string | null }
  /** Nothing that can be analysed; the sentence says what it is. */
  | { is: 'other'; sentence: string };

/** Bytes that suffice for `signatureOf`. */
export const signatureBytes = 4096;

export function signatureOf(head: Buffer): Signature {
  const text = head.toString('latin1', 0, 64);
  return picture(text) ?? container(head, text) ?? exotic(head, text) ?? other(head, text);
}

function picture(text: string): Signature | null {
  const found = (format: PictureFormat): Signature => ({
    is: 'picture',
    format,
    contentType: `image/${format}`,
  });
  if (text.startsWith('\xff\xd8\xff')) return found('jpeg');
  if (text.startsWith('\x89PNG\r\n\x1a\n')) return found('png');
  if (text.startsWith('RIFF') && text.startsWith('WEBP', 8)) return found('webp');
  if (text.startsWith('GIF8')) return found('gif');
  if (text.startsWith('II*\0') || text.startsWith('MM\0*')) return found('tiff');
  const brand = text.startsWith('ftyp', 4) ? text.slice(8, 12) : '';
  if (['avif', 'avis'].includes(brand) || (brand === 'mif1' && text.slice(16).includes('avif'))) {
    return found('avif');
  }
  if (['heic', 'heix', 'heim', 'heis', 'hevc', 'mif1', 'msf1'].includes(brand)) {
    return notReadable('a HEIC picture');
  }
  return null;
}

function container(head: Buffer, text: string): Signature | null {
  const found = (format: ContainerFormat): Signature => ({ is: 'container', format });
  if (/^(ftyp|moov|mdat|moof|styp|sidx|wide|free|skip|pnot)/.test(text.slice(4, 8))) return found('mp4');
  if (text.startsWith('\x1aE\xdf\xa3')) return found('matroska');
  if (/^(RIFF|RF64)/.test(text) && text.startsWith('WAVE', 8)) return found('wav');
  if (text.startsWith('OggS')) return found('ogg');
  if (text.startsWith('fLaC')) return found('flac');
  if (text.startsWith('ID3')) return found('mp3');
  // Frame headers: 12 bits of sync, then the layer: 00 is AAC's ADTS, the others are MPEG audio.
  // ISO/IEC 13818-7, 6.2 and 11172-3, 2.4.2.3.
  if (head.length > 7 && head[0] === 0xff && (head[1]! & 0xf6) === 0xf0) return found('aac');
  // Some programs leave zeros before the first frame.
  const frame = head.subarray(head.findIndex((byte) => byte !== 0));
  if (frame.length > 3 && frame[0] === 0xff && (frame[1]! & 0xe0) === 0xe0 && isMpegAudioHeader(frame)) {
    return found('mp3');
  }
  return null;
}

/** None of the values that are reserved: version, layer, bit rate, sample rate. */
function isMpegAudioHeader(head: Buffer): boolean {
  const [, second, third] = head;
  return (
    (second! & 0x18) !== 0x08 &&
    (second! & 0x06) !== 0 &&
    (third! & 0xf0) !== 0xf0 &&
    (third! & 0xf0) !== 0 &&
    (third! & 0x0c) !== 0x0c
  );
}

const EXOTIC: { begins: string[]; kind: 'audio' | 'video' | null; contentType: string | null }[] = [
  { begins: ['FLV\x01'], kind: null, contentType: 'video/x-flv' },
  { begins: ['\x30\x26\xb2\x75\x8e\x66\xcf\x11'], kind: null, contentType: 'video/x-ms-asf' },
  { begins: ['\x06\x0e\x2b\x34'], kind: 'video', contentType: 'application/mxf' },
  { begins: ['\0\0\x01\xba'], kind: 'video', contentType: 'video/mpeg' },
  { begins: ['.snd'], kind: 'audio', contentType: 'audio/basic' },
  { begins: ['caff'], kind: 'audio', contentType: 'audio/x-caf' },
  { begins: ['#!AMR'], kind: 'audio', contentType: 'audio/amr' },
  { begins: ['wvpk'], kind: 'audio', contentType: 'audio/x-wavpack' },
  { begins: ['\x0b\x77'], kind: 'audio', contentType: 'audio/ac3' },
  { begins: ['riff\x2e\x91\xcf\x11'], kind: 'audio', contentType: null },
];

const TS_PACKET_BYTES = 188;

function exotic(head: Buffer, text: string): Signature | null {
  const known = EXOTIC.find(({ begins }) => begins.some((prefix) => text.startsWith(prefix)));
  if (known) return { is: 'exotic', kind: known.kind, contentType: known.contentType };
  if (text.startsWith('RIFF') && text.startsWith('AVI ', 8)) {
    return { is: 'exotic', kind: 'video', contentType: 'video/x-msvideo' };
  }
  if (text.startsWith('FORM') && text.startsWith('AIF', 8)) {
    return { is: 'exotic', kind: 'audio', contentType: 'audio/aiff' };
  }
  // MPEG-TS has no header, only a sync byte before every packet; M2TS puts four bytes before each.
  for (const [first, step] of [
    [0, TS_PACKET_BYTES],
    [4, TS_PACKET_BYTES + 4],
  ] as const) {
    const syncs = [0, 1, 2].map((i) => head[first + i * step]);
    if (syncs.every((byte) => byte === 0x47))
      return { is: 'exotic', kind: 'video', contentType: 'video/mp2t' };
  }
  return null;
}

const OTHERS: { begins: string[]; what: string }[] = [
  { begins: ['%PDF'], what: 'a PDF document' },
  { begins: ['PK\x03\x04'], what: 'a ZIP archive or an Office document' },
  { begins: ['\x1f\x8b', '7z\xbc\xaf', 'Rar!', 'BZh', '\xfd7zXZ', '\x28\xb5\x2f\xfd'], what: 'an archive' },
  { begins: ['MZ', '\x7fELF', '\xca\xfe\xba\xbe', '\xcf\xfa\xed\xfe'], what: 'a program' },
  { begins: ['<!doctype html', '<html'], what: 'a web page' },
  { begins: ['<?xml', '<svg'], what: 'an XML document' },
];

function other(head: Buffer, text: string): Signature {
  const start = text.trimStart().toLowerCase();
  if (start.startsWith('#extm3u')) {
    return { is: 'other', sentence: 'This is a playlist, not a film: submit the film that it names.' };
  }
  if (text.startsWith('8BPS')) return notReadable('a Photoshop document');
  // Two letters would say little: the reserved bytes after the length are zero too.
  if (text.startsWith('BM') && text.startsWith('\0\0\0\0', 6)) return notReadable('a BMP picture');
  const known = OTHERS.find(({ begins }) => begins.some((prefix) => start.startsWith(prefix.toLowerCase())));
  const what = known?.what ?? (isText(head) ? 'a text file' : 'a file of unknown type');
  return { is: 'other', sentence: `This is ${what}, and not a picture, sound or film that can be read.` };
}

function notReadable(what: string): Signature {
  return {
    is: 'other',
    sentence: `This is ${what}, which cannot be read: save it as JPEG, PNG, WebP or AVIF.`,
  };
}

function isText(head: Buffer): boolean {
  const sample = head.subarray(0, signatureBytes);
  if (sample.includes(0)) return false;
  const decoded = sample.toString('utf8');
  // The last character may be cut, and nothing else.
  return !decoded.slice(0, -3).includes('�');
}
