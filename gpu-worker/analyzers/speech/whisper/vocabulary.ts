/**
 * Whisper's vocabulary: the bytes of each text token. A token is any run of bytes, so a letter
 * outside ASCII may be spread over several of them.
 *
 * Tokens were made by byte pair encoding: the lower a token's number, the earlier its two
 * halves were joined, so the numbers alone are enough to encode.
 * Source: https://github.com/openai/whisper/blob/main/whisper/tokenizer.py
 */

/** Marks bytes that are no UTF-8, as those of half a letter. */
export const REPLACEMENT = '\ufffd';

export class Vocabulary {
  readonly #bytes: readonly Uint8Array[];
  readonly #idOf: Map<string, number>;

  /** @param bytes of each token, by its number. */
  constructor(bytes: readonly Uint8Array[]) {
    this.#bytes = bytes;
    this.#idOf = new Map(bytes.map((token, id) => [keyOf(token), id]));
  }

  /** Reads OpenAI's lists: a line for each token with its bytes in base64, a space and its number. */
  static parse(list: string): Vocabulary {
    const bytes: Uint8Array[] = [];
    for (const line of list.split('\n')) {
      const [token, id] = line.split(' ');
      if (token && id) bytes[Number(id)] = Buffer.from(token, 'base64');
    }
    return new Vocabulary(bytes);
  }

  /** The text of tokens; other tokens than those of text count for nothing. */
  decode(tokens: readonly number[]): string {
    const known = tokens.map((token) => this.#bytes[token] ?? new Uint8Array(0));
    return Buffer.concat(known).toString('utf8');
  }

  /** The tokens of a short text without letters: it is not split into words first. */
  encode(text: string): number[] {
    const parts: Uint8Array[] = [...Buffer.from(text)].map((byte) => Uint8Array.of(byte));
    for (;;) {
      let best = { at: -1, id: Number.POSITIVE_INFINITY };
      for (let at = 0; at + 1 < parts.length; at++) {
        const id = this.#idOf.get(keyOf(Buffer.concat([parts[at]!, parts[at + 1]!])));
        if (id !== undefined && id < best.id) best = { at, id };
      }
      if (best.at < 0) return parts.map((part) => this.#idOf.get(keyOf(part))!);
      parts.splice(best.at, 2, this.#bytes[best.id]!);
    }
  }
}

const keyOf = (bytes: Uint8Array) =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
