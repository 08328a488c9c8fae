/**
 * What the functions print, kept for `faas-cli logs`: the last lines of each, in memory.
 *
 * All functions share this process, so the console cannot tell who prints; the asynchronous
 * context of the call can. Everything also goes to stdout, where a supervisor keeps it.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import { format } from 'node:util';

export interface LogLine {
  at: number;
  text: string;
}

export interface LogFollower {
  line(line: LogLine): void;
  /** No further line will come. */
  end(): void;
}

/** Lines kept of one function, and characters of one line: at most some 8 MB a function. */
const LINES_KEPT = 1_000;
const LINE_LENGTH = 8_192;

/** The lines of one function: a ring, the oldest overwritten. */
class LogRing {
  readonly followers = new Set<LogFollower>();
  readonly #lines: LogLine[] = [];
  #written = 0;

  add(text: string): void {
    const line = { at: Date.now(), text: text.slice(0, LINE_LENGTH) };
    this.#lines[this.#written % LINES_KEPT] = line;
    this.#written += 1;
    for (const follower of this.followers) follower.line(line);
  }

  all(): LogLine[] {
    const oldest = this.#written % LINES_KEPT;
    return [...this.#lines.slice(oldest), ...this.#lines.slice(0, oldest)];
  }
}

export class FunctionLogs {
  readonly #rings = new Map<string, LogRing>();
  readonly #current = new AsyncLocalStorage<string>();

  /** Runs code as the function: what it prints, then and later, is the function's. */
  runAs<T>(functionName: string, code: () => T): T {
    return this.#current.run(functionName, code);
  }

  append(functionName: string, text: string): void {
    this.#ring(functionName).add(text);
  }

  /** Lines from `sinceMs` (Unix time) on, of those the last `tail` where it is positive. */
  read(functionName: string, { sinceMs = 0, tail = 0 }): LogLine[] {
    const lines = this.#ring(functionName)
      .all()
      .filter((line) => line.at >= sinceMs);
    return tail > 0 ? lines.slice(-tail) : lines;
  }

  /** Tells the follower of each further line, until the returned function is called. */
  follow(functionName: string, follower: LogFollower): () => void {
    const { followers } = this.#ring(functionName);
    followers.add(follower);
    return () => followers.delete(follower);
  }

  endFollowers(): void {
    for (const { followers } of this.#rings.values()) for (const follower of followers) follower.end();
  }

  /** Makes the console note whose lines it prints, until the returned function is called. */
  attributeConsole(): () => void {
    const methods = ['debug', 'log', 'info', 'warn', 'error'] as const;
    const originals = methods.map((method) => [method, console[method]] as const);
    for (const [method, print] of originals) {
      console[method] = (...values: unknown[]) => {
        const functionName = this.#current.getStore();
        if (functionName === undefined) return print(...values);
        const text = format(...values);
        for (const line of text.split('\n')) this.append(functionName, line);
        // A structured line names its function itself, and stays one object a line.
        print(text.startsWith('{') ? text : `${functionName}: ${text}`);
      };
    }
    return () => {
      for (const [method, print] of originals) console[method] = print;
    };
  }

  #ring(functionName: string): LogRing {
    let ring = this.#rings.get(functionName);
    if (ring === undefined) {
      ring = new LogRing();
      this.#rings.set(functionName, ring);
    }
    return ring;
  }
}
