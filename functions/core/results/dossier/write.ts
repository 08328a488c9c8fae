/** Times, lengths and sizes as people read them. Pure. */

/** `00:01:07`, for tables and the axis. */
export function clock(ms: number): string {
  const part = (value: number) => String(Math.floor(value)).padStart(2, '0');
  return `${part(ms / 3_600_000)}:${part((ms / 60_000) % 60)}:${part((ms / 1000) % 60)}`;
}

/** `12.4 s`, `3:07 min`, `1:02:09 h`, never broken before the unit. */
export function length(ms: number, language: string): string {
  if (ms < 60_000) return `${number(Math.round(ms / 100) / 10, language)}\u00a0s`;
  const whole = Math.round(ms / 1000);
  const [hours, minutes, seconds] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const two = (value: number) => String(value).padStart(2, '0');
  return hours > 0
    ? `${hours}:${two(minutes)}:${two(seconds)}\u00a0h`
    : `${minutes}:${two(seconds)}\u00a0min`;
}

export function number(value: number, language: string, digits = 1): string {
  return value.toLocaleString(language, { maximumFractionDigits: digits }).replace('-', '\u2212');
}

export function percent(share: number, language: string): string {
  return Math.min(1, share).toLocaleString(language, { style: 'percent' });
}

export function bytes(size: number, language: string): string {
  const units = ['B', 'kB', 'MB', 'GB'];
  const step = Math.min(units.length - 1, size < 1 ? 0 : Math.floor(Math.log10(size) / 3));
  return `${number(size / 1000 ** step, language)}\u00a0${units[step]}`;
}

/** In UTC, since nobody knows where it will be read. */
export function date(iso: string, language: string): string {
  const time = new Date(iso).toLocaleString(language, {
    dateStyle: 'long',
    timeStyle: 'short',
    timeZone: 'UTC',
  });
  return `${time} UTC`;
}

/** The name of a language in another; the tag itself where it is none. */
export function languageName(tag: string, language: string): string {
  try {
    return new Intl.DisplayNames([language], { type: 'language' }).of(tag) ?? tag;
  } catch {
    return tag;
  }
}

/** On one line, without what a terminal or printer would obey. */
export function oneLine(text: string): string {
  return text
    .replace(/[\p{Cc}\u2028\u2029]+/gu, ' ')
    .replace(/[\u202a-\u202e\u2066-\u2069]/gu, '')
    .replace(/\s+/gu, ' ')
    .trim()
    .toWellFormed();
}
