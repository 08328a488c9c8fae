/**
 * Where a medium's bytes come from: an address that answers range requests, or a file.
 *
 * Both look the same to what reads them: a size, and bytes at an offset. FFmpeg never opens
 * anything by itself; it gets its bytes from here.
 */
import { openFile } from './file.ts';
import { openHttp } from './http.ts';

export type MediaSource =
  /** A local file. */
  | { path: string }
  /**
   * A presigned address, or what tells the present one: it is asked before every request.
   * `onWaited` hears of each wait for bytes how long it took.
   */
  | { url: string | (() => string | Promise<string>); onWaited?: (waitedMs: number) => void };

export interface ByteSource {
  sizeBytes: number;
  /** The bytes from `offset` on: at least one and at most `length`, none only at the end. */
  read(offset: number, length: number): Promise<Uint8Array>;
  close(): Promise<void>;
}

/** Throws a MediaError when the medium cannot be reached or is empty. */
export async function openSource(source: MediaSource, signal?: AbortSignal): Promise<ByteSource> {
  return 'path' in source
    ? openFile(source.path)
    : openHttp(source.url, { signal, onWaited: source.onWaited });
}
