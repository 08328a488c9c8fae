/** What a container says of itself: title, artist, when and with what it was made. */
import type { Dictionary, FormatContext, Stream } from 'node-av/lib';
import { plainText } from './plain-text.ts';

const maxLength = 500;

/** Our names, and FFmpeg's for the same, the first that there is counts. It takes them in any case. */
const names: Record<string, string[]> = {
  title: ['title'],
  artist: ['artist', 'author'],
  album: ['album'],
  albumArtist: ['album_artist'],
  composer: ['composer'],
  track: ['track'],
  genre: ['genre'],
  date: ['date', 'year'],
  creationTime: ['creation_time', 'com.apple.quicktime.creationdate'],
  comment: ['comment'],
  description: ['description', 'synopsis'],
  copyright: ['copyright'],
  publisher: ['publisher'],
  encoder: ['encoder', 'encoded_by'],
  software: ['software', 'com.apple.quicktime.software'],
  make: ['make', 'com.apple.quicktime.make', 'com.android.manufacturer'],
  model: ['model', 'com.apple.quicktime.model', 'com.android.model'],
  location: ['location', 'com.apple.quicktime.location.iso6709'],
};

/** The known ones only, by our names: what else a file says has no bound. */
export function tagsOf(format: FormatContext, main: Stream | null): Record<string, string> {
  // Ogg keeps them with its stream.
  const sources = [format.metadata, main?.metadata ?? null].filter((source) => source !== null);
  const tags: [string, string][] = Object.entries(names).flatMap(([name, keys]) => {
    const value = firstOf(sources, keys);
    return value === null ? [] : [[name, value]];
  });
  return Object.fromEntries(tags);
}

/** ISO 639, such as `eng`, or null where a stream does not say. */
export function languageOf(stream: Stream): string | null {
  const language = stream.metadata?.get('language') ?? '';
  return /^[a-z]{2,3}(-[a-z0-9]{1,8})*$/i.test(language) && language !== 'und' ? language.slice(0, 35) : null;
}

function firstOf(sources: readonly Dictionary[], keys: readonly string[]): string | null {
  for (const source of sources) {
    for (const key of keys) {
      const value = plainText(source.get(key), maxLength);
      if (value !== null) return value;
    }
  }
  return null;
}
