/** One line that says how far something is: redrawn in a terminal, a new line only for news elsewhere. */
import type { WriteStream } from 'node:tty';

const barCharacters = 24;

type Terminal = Pick<WriteStream, 'write'> & { isTTY?: boolean; columns?: number };

export class ProgressLine {
  readonly #out: Terminal;
  readonly #name: string;
  #shown = '';

  constructor(out: Terminal, name: string) {
    this.#out = out;
    this.#name = name;
  }

  /** @param fraction 0..1 */
  show(what: string, fraction: number): void {
    const filled = Math.round(fraction * barCharacters);
    const bar = '█'.repeat(filled) + '░'.repeat(barCharacters - filled);
    const whole = `${this.#name}  ${bar} ${String(Math.round(fraction * 100)).padStart(3)} %  ${what}`;
    // A line that wraps cannot be drawn over.
    const text = whole.slice(0, (this.#out.columns ?? Infinity) - 1);
    const news = this.#out.isTTY ? text : `${this.#name}: ${what}`;
    if (news === this.#shown) return;
    this.#shown = news;
    this.#out.write(this.#out.isTTY ? `\r${text}\u001b[K` : `${news}\n`);
  }

  end(): void {
    if (this.#out.isTTY && this.#shown) this.#out.write('\n');
  }
}
