/**
 * Tokens that no speech is written with: notes, brackets, names of speakers. Whisper learned
 * from subtitles, and would write `[MUSIC]` or `♪` where nobody speaks. Plain punctuation stays.
 *
 * Source: `Tokenizer.non_speech_tokens` in
 * https://github.com/openai/whisper/blob/main/whisper/tokenizer.py
 */
import type { Vocabulary } from './vocabulary.ts';

const symbols = [
  ...'"#()*+/:;<=>@[\\]^_`{|}~「」『』',
  ...'<< >> <<< >>> -- --- -( -[ (\' (" (( )) ((( ))) [[ ]] {{ }} ♪♪ ♪♪♪'.split(' '),
];
/** Their tokens begin with the bytes that all signs from U+2640 to U+267F share. */
const notes = [...'♩♪♫♬♭♮♯'];

/** In rising order. */
export function nonSpeechTokens(vocabulary: Vocabulary): number[] {
  // Hyphen and apostrophe are for the middle of words.
  const tokens = new Set([' -', " '"].map((text) => vocabulary.encode(text)[0]!));
  for (const symbol of [...symbols, ...notes]) {
    for (const text of [symbol, ` ${symbol}`]) {
      const encoded = vocabulary.encode(text);
      if (encoded.length === 1 || notes.includes(symbol)) tokens.add(encoded[0]!);
    }
  }
  return [...tokens].sort((a, b) => a - b);
}
