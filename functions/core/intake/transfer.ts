/** The bytes of one step of a fetch (fetch.ts), on their way from the address to the bucket. */
import type { IncomingMessage } from 'node:http';
import type { Core } from '../core.ts';
import { AimaError } from '../errors.ts';
import { addressRules } from './addresses.ts';
import { send } from './request.ts';

/** 4,300 of them are 50 GiB; S3 allows 10,000, none but the last below 5 MiB. Held in memory. */
const partBytes = 12 * 2 ** 20;
const maxRedirects = 5;
/** From the end of a step's time until the part under way must be whole. */
const graceMs = 20_000;

/** How far a fetch has come, as it is kept in media.fetch_state. */
export interface FetchState {
  parts: { part: number; etag: string }[];
  offset: number;
  /** ETag or date of the file at its address: a range of another version must not be joined to ours. */
  validator: string | null;
  failures: number;
}

export interface Destination {
  sourceUrl: string;
  objectKey: string;
  contentType: string | null;
  uploadId: string | null;
}

export class Transfer {
  uploadId: string | null;
  readonly #core: Core;
  readonly #step: Destination;
  readonly #state: FetchState;

  constructor(core: Core, step: Destination, state: FetchState) {
    this.#core = core;
    this.#step = step;
    this.#state = state;
    this.uploadId = step.uploadId;
  }

  /**
   * @returns whether the object is whole now; false: there is more to do.
   * @throws AimaError where trying again does not help, any other error where it may.
   */
  async run(stepMs: number): Promise<boolean> {
    const endMs = performance.now() + stepMs;
    const signal = AbortSignal.timeout(stepMs + graceMs);
    const answer = await this.#open(signal);
    try {
      if (isAtEnd(answer, this.#state.offset)) {
        await this.#finish(Buffer.alloc(0));
        return true;
      }
      const expected = expectedBytes(answer);
      this.#checkSize(this.#state.offset + (expected ?? 0));
      let received = 0;
      let chunks: Buffer[] = [];
      let held = 0;
      for await (const chunk of answer as AsyncIterable<Buffer>) {
        chunks.push(chunk);
        held += chunk.length;
        received += chunk.length;
        this.#checkSize(this.#state.offset + held);
        if (held < partBytes) continue;
        await this.#savePart(Buffer.concat(chunks, held));
        chunks = [];
        held = 0;
        if (performance.now() >= endMs && received !== expected) return this.#pause(answer);
      }
      if (expected !== null && received < expected) throw new Error('The connection ended too early.');
      await this.#finish(Buffer.concat(chunks, held));
      return true;
    } finally {
      answer.destroy();
    }
  }

  async #open(signal: AbortSignal): Promise<IncomingMessage> {
    const { offset, validator } = this.#state;
    const range: Record<string, string> = offset
      ? { range: `bytes=${offset}-`, ...(validator ? { 'if-range': validator } : {}) }
      : {};
    const rules = addressRules(this.#core.config);
    const answer = await send(
      this.#step.sourceUrl,
      { method: 'GET', headers: range, maxRedirects, signal },
      rules,
    );
    checkStatus(answer);
    if (offset > 0 && !continuesAt(answer, offset) && !isAtEnd(answer, offset)) {
      answer.destroy();
      await this.#startOver();
      throw new Error('The file changed while it was fetched.');
    }
    this.#state.validator = strongValidator(answer);
    return answer;
  }

  #checkSize(bytes: number): void {
    const most = this.#core.config.AIMA_MAX_MEDIUM_BYTES;
    if (bytes > most)
      throw new AimaError('media_too_large', `The file at the address has more than ${most} bytes.`);
  }

  async #savePart(body: Buffer): Promise<void> {
    const { bucket } = this.#core;
    const { objectKey, contentType } = this.#step;
    const part = this.#state.parts.length + 1;
    const etag = await this.#store(async () => {
      this.uploadId ??= await bucket.startMultipart(objectKey, contentType ?? 'application/octet-stream');
      return bucket.writePart(objectKey, this.uploadId, part, body);
    });
    this.#state.parts.push({ part, etag });
    this.#state.offset += body.length;
  }

  /** Tells a failure of our object store from one of the address. An upload that it has dropped is begun again. */
  async #store<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (cause) {
      if ((cause as { code?: string }).code === 'NoSuchUpload') {
        this.#forget();
        throw new Error('The object store has dropped the parts.', { cause });
      }
      throw new AimaError('storage_unavailable', 'The object store does not take the file.', { cause });
    }
  }

  /** Only what can be asked for from the middle can be fetched in several steps. */
  #pause(answer: IncomingMessage): false {
    if (answer.statusCode === 206 || answer.headers['accept-ranges'] === 'bytes') return false;
    throw new AimaError(
      'url_fetch_failed',
      'The file is too large for a server that cannot continue an interrupted download: upload it here instead.',
    );
  }

  async #finish(rest: Buffer): Promise<void> {
    const { bucket } = this.#core;
    const { objectKey, contentType } = this.#step;
    const { uploadId } = this;
    if (uploadId === null) {
      const type = contentType ?? 'application/octet-stream';
      return this.#store(() => bucket.write(objectKey, rest, type, rest.length));
    }
    if (rest.length > 0) await this.#savePart(rest);
    await this.#store(() => bucket.finishMultipart(objectKey, uploadId, this.#state.parts));
  }

  async #startOver(): Promise<void> {
    const { uploadId } = this;
    if (uploadId) await this.#store(() => this.#core.bucket.abortMultipart(this.#step.objectKey, uploadId));
    this.#forget();
  }

  #forget(): void {
    this.uploadId = null;
    Object.assign(this.#state, { parts: [], offset: 0, validator: null });
  }
}

function checkStatus(answer: IncomingMessage): void {
  const status = answer.statusCode ?? 0;
  const type = answer.headers['content-type'] ?? '';
  if (status === 429 || status >= 500) {
    answer.destroy();
    throw new Error(`The address answered ${status}.`);
  }
  if (status !== 200 && status !== 206 && status !== 416) {
    answer.destroy();
    throw new AimaError('url_fetch_failed', `The address answered ${status}.`);
  }
  if (/^text\/html\b/i.test(type)) {
    answer.destroy();
    throw new AimaError(
      'unsupported_media',
      'The address leads to a web page: use the address of the file itself.',
    );
  }
}

function continuesAt(answer: IncomingMessage, offset: number): boolean {
  return (
    answer.statusCode === 206 && answer.headers['content-range']?.startsWith(`bytes ${offset}-`) === true
  );
}

/** Where the length was not told before, it may turn out that there is no more. RFC 9110, 15.5.17. */
function isAtEnd(answer: IncomingMessage, offset: number): boolean {
  return answer.statusCode === 416 && answer.headers['content-range'] === `bytes */${offset}`;
}

function expectedBytes(answer: IncomingMessage): number | null {
  const length = answer.headers['content-length'];
  return length !== undefined && /^\d{1,15}$/.test(length) ? Number(length) : null;
}

/** RFC 9110, 13.1.5: a weak ETag cannot be used with If-Range. */
function strongValidator({ headers }: IncomingMessage): string | null {
  return headers.etag && !headers.etag.startsWith('W/') ? headers.etag : (headers['last-modified'] ?? null);
}
