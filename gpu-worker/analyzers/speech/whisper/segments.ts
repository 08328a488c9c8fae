/**
 * Reads what Whisper wrote into segments: text between a time stamp and the next. Where the last
 * segment is not finished it is left out, and the window is to be heard again from there on.
 * As in https://github.com/openai/whisper/blob/main/whisper/transcribe.py
 */

const SECONDS_PER_TIMESTAMP = 0.02;

/** Times in seconds from the start of the window. */
export interface Segment {
  start: number;
  end: number;
  /** Text only. */
  tokens: number[];
}

export interface Reading {
  segments: Segment[];
  /** From here on it must be heard again; null where all was heard. */
  goOnAt: number | null;
}

/**
 * @param tokens with time stamps, without the prompt and the end.
 * @param duration of the window's sound, in seconds.
 */
export function readSegments(
  tokens: readonly number[],
  timestampBegin: number,
  endOfText: number,
  duration: number,
): Reading {
  const isTimestamp = (token: number | undefined) => token !== undefined && token >= timestampBegin;
  const secondsOf = (token: number) => Math.min((token - timestampBegin) * SECONDS_PER_TIMESTAMP, duration);
  const textOf = (part: readonly number[]) => part.filter((token) => token < endOfText);
  /** Where one segment's end stamp is followed by the next one's start stamp. */
  const borders = tokens.flatMap((token, i) =>
    i > 0 && isTimestamp(token) && isTimestamp(tokens[i - 1]) ? [i] : [],
  );
  const isFinished = isTimestamp(tokens.at(-1)) && !isTimestamp(tokens.at(-2));

  if (borders.length === 0) {
    const last = tokens.findLast(isTimestamp);
    const end = last === undefined || last === timestampBegin ? duration : secondsOf(last);
    return { segments: nonEmpty([{ start: 0, end, tokens: textOf(tokens) }]), goOnAt: null };
  }
  const ends = isFinished ? [...borders, tokens.length] : borders;
  const segments = ends.map((end, i) => {
    const part = tokens.slice(ends[i - 1] ?? 0, end);
    return { start: secondsOf(part[0]!), end: secondsOf(part.at(-1)!), tokens: textOf(part) };
  });
  return {
    segments: nonEmpty(segments),
    goOnAt: isFinished ? null : secondsOf(tokens[ends.at(-1)! - 1]!),
  };
}

function nonEmpty(segments: Segment[]): Segment[] {
  return segments.filter(({ tokens }) => tokens.length > 0);
}
