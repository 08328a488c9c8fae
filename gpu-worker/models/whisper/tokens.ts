/**
 * Whisper's vocabulary: 50,257 pieces of text, then tokens with a meaning of their own, whose
 * numbers follow from how many languages the model knows. Source:
 * https://github.com/openai/whisper/blob/v20250625/whisper/tokenizer.py (`get_encoding`).
 *
 * In a model's folder the pieces lie in `vocabulary.tiktoken`, one a line: base64 of its
 * bytes, a space, its number. That is the format of OpenAI's own list, and what is made out of
 * another source is that list to the byte.
 */

const TEXT_TOKENS = 50_257;
/** 0.00 to 30.00 s in steps of 20 ms. */
const TIMESTAMPS = 1501;
const SPECIAL_TOKENS_WITHOUT_LANGUAGES = 8;

/** In the order of their tokens; the last came with large-v3. ISO 639-1, and `haw`, `yue`, `jw` (Javanese). */
export const LANGUAGES =
  'en zh de es ru ko fr ja pt tr pl ca nl ar sv it id hi fi vi he uk el ms cs ro da hu ta no th ur hr bg lt la mi ml cy sk te fa lv bn sr az sl kn et mk br eu is hy ne mn bs kk sq sw gl mr pa si km sn yo so af oc ka be tg sd gu am yi lo uz fo ht ps tk nn mt sa lb my bo tl mg as tt haw ln ha ba jw su yue'.split(
    ' ',
  );

export interface SpecialTokens {
  endOfText: number;
  startOfTranscript: number;
  translate: number;
  transcribe: number;
  startOfLm: number;
  startOfPrevious: number;
  noSpeech: number;
  noTimestamps: number;
  /** The token of 0.00 s; the others follow it, 20 ms apart, up to the end of the vocabulary. */
  firstTimestamp: number;
  /** By language code. */
  languages: Record<string, number>;
}

/** Throws where a vocabulary of that size is none of Whisper's multilingual ones. */
export function specialTokens(nVocab: number): SpecialTokens {
  const languages = nVocab - TEXT_TOKENS - SPECIAL_TOKENS_WITHOUT_LANGUAGES - TIMESTAMPS;
  if (languages !== 99 && languages !== 100) {
    throw new Error(`no multilingual Whisper has a vocabulary of ${nVocab} tokens`);
  }
  const firstLanguage = TEXT_TOKENS + 2;
  const translate = firstLanguage + languages;
  return {
    endOfText: TEXT_TOKENS,
    startOfTranscript: TEXT_TOKENS + 1,
    translate,
    transcribe: translate + 1,
    startOfLm: translate + 2,
    startOfPrevious: translate + 3,
    noSpeech: translate + 4,
    noTimestamps: translate + 5,
    firstTimestamp: translate + 6,
    languages: Object.fromEntries(LANGUAGES.slice(0, languages).map((code, i) => [code, firstLanguage + i])),
  };
}

/**
 * The list out of CTranslate2's `vocabulary.json`, whose entries are bytes written as the
 * printable characters that GPT-2 gave them.
 */
export function tiktokenList(vocabulary: readonly string[]): string {
  const bytes = bytesOfCharacters();
  const lines = vocabulary.slice(0, TEXT_TOKENS).map((piece, number) => {
    const values = [...piece].map((character) => {
      const byte = bytes.get(character);
      if (byte === undefined) throw new Error(`the vocabulary has an unknown character in ${piece}`);
      return byte;
    });
    // OpenAI's list writes the one empty piece, the last, as "=".
    return `${Buffer.from(values).toString('base64') || '='} ${number}\n`;
  });
  return lines.join('');
}

/** GPT-2 keeps what prints in Latin-1 and moves the other bytes, in their order, to U+0100 and on. */
function bytesOfCharacters(): Map<string, number> {
  const prints = (byte: number) =>
    (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || (byte >= 0xae && byte <= 0xff);
  const characters = new Map<string, number>();
  let moved = 0x100;
  for (let byte = 0; byte < 256; byte++) {
    characters.set(String.fromCodePoint(prints(byte) ? byte : moved++), byte);
  }
  return characters;
}
