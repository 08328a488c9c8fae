/**
 * Whisper sometimes repeats itself to the end of the window. What has gone round for 64 tokens
 * will not stop: writing on would only take time.
 */

const LOOPING_TOKENS = 64;
const LONGEST_TURN = 16;
/** What is kept of a loop that no temperature has broken: somebody may have said it twice. */
const TURNS_KEPT = 2;

/** Whether the text goes round at its end; time stamps, which rise, do not count. */
export function isLoop(tokens: readonly number[], endOfText: number): boolean {
  return turnOf(tokens, endOfText) > 0;
}

/** The tokens without what a loop repeats at their end. */
export function withoutLoop(tokens: readonly number[], endOfText: number): number[] {
  const turn = turnOf(tokens, endOfText);
  if (turn === 0) return [...tokens];
  const text = tokens.filter((token) => token < endOfText);
  let begin = text.length - turn;
  while (begin > 0 && text[begin - 1] === text[begin - 1 + turn]) begin--;
  let left = begin + turn * TURNS_KEPT;
  const end = tokens.findIndex((token) => token < endOfText && left-- === 0);
  return tokens.slice(0, end < 0 ? tokens.length : end);
}

/** Length of what is repeated, in tokens of text; 0 where nothing is. */
function turnOf(tokens: readonly number[], endOfText: number): number {
  if (tokens.length < LOOPING_TOKENS) return 0;
  const tail = tokens.filter((token) => token < endOfText).slice(-LOOPING_TOKENS);
  if (tail.length < LOOPING_TOKENS) return 0;
  for (let turn = 1; turn <= LONGEST_TURN; turn++) {
    if (tail.every((token, i) => i < turn || token === tail[i - turn])) return turn;
  }
  return 0;
}
