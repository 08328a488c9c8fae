/** A log of bounded size: NAME.log, and the one before it as NAME.log.1. */

import { appendFileSync, mkdirSync, renameSync, statSync } from 'node:fs';
import { dirname } from 'node:path';

export interface LogFile {
  /** Appends a line; it is with the operating system when this returns, so a kill -9 loses nothing. */
  write(line: string): void;
}

/** Opens the log at `path`; when it has grown over `maxBytes` it starts anew and the old one is kept. */
export function openLogFile(path: string, maxBytes = 10_000_000): LogFile {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  let sizeBytes = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  return {
    write(line) {
      const bytes = Buffer.byteLength(line) + 1;
      try {
        if (sizeBytes > 0 && sizeBytes + bytes > maxBytes) {
          renameSync(path, `${path}.1`);
          sizeBytes = 0;
        }
        appendFileSync(path, `${line}\n`, { mode: 0o600 });
        sizeBytes += bytes;
      } catch {
        // Disk full or folder gone: the services matter more than a line about them.
      }
    },
  };
}
