/**
 * Which language is spoken, and how languages are named: Whisper has codes of its own where it is
 * older than BCP 47's canonical names.
 */

const WHISPER_CODES: Record<string, string> = { nb: 'no', fil: 'tl', jv: 'jw', cmn: 'zh' };

/** From one window to the next the language changes only where it is clear, and enough is said. */
const SURE_OF_CHANGE = 0.8;
const ENOUGH_SPEECH_MS = 5_000;

/** Whisper's code for a BCP 47 code such as `de-AT`, or null where it does not know the language. */
export function whisperCode(language: string, known: Readonly<Record<string, number>>): string | null {
  const spoken = new Intl.Locale(language).language;
  const code = WHISPER_CODES[spoken] ?? spoken;
  return Object.hasOwn(known, code) ? code : null;
}

/** As results have it. */
export const bcp47 = (code: string) => new Intl.Locale(code).toString();

/**
 * The language of a window.
 * @param logits of what may follow the start of a transcript.
 * @param languages Whisper's codes and their tokens.
 * @param before language of the window before it, or null.
 * @param speechMs how much is said in the window.
 */
export function chooseLanguage(
  logits: Float32Array,
  languages: Readonly<Record<string, number>>,
  before: string | null,
  speechMs: number,
): string {
  const codes = Object.entries(languages).sort(([, a], [, b]) => logits[b]! - logits[a]!);
  const [best, token] = codes[0]!;
  if (before === null) return best;
  const total = codes.reduce((sum, [, other]) => sum + Math.exp(logits[other]! - logits[token]!), 0);
  return 1 / total >= SURE_OF_CHANGE && speechMs >= ENOUGH_SPEECH_MS ? best : before;
}
