/** One line that says how far something is: redrawn in a terminal, a new line only for news elsewhere. */
import type { WriteStream } from 'node:tty';

const barCharacters = 24;

export class ProgressLine {
  readonly #out: Pick<WriteStream, 'write'> & { isTTY?: boolean };
  readonly #name: string;
  #shown = '';

  constructor(out: Pick<WriteStream, 'write'> & { isTTY?: boolean }, name: string) {
    this.#out = out;
    this.#name = name;
  }

  /** @param fraction 0..1 */
  show(what: string, fraction: number): void {
    const filled = Math.round(fraction * barCharacters);
    const bar = '█'.repeat(filled) + '░'.repeat(barCharacters - filled);
    const text = `${this.#name}  ${bar} ${String(Math.round(fraction * 100)).padStart(3)} %  ${what}`;
    const news = this.#out.isTTY ? text : `${this.#name}: ${what}`;
    if (news === this.#shown) return;
    this.#shown = news;
    this.#out.write(this.#out.isTTY ? `\r${text}\u001b[K` : `${news}\n`);
  }

  end(): void {
    if (this.#out.isTTY && this.#shown) this.#out.write('\n');
  }
}
