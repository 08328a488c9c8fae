import { createHash } from 'node:crypto';
import { chunkSignature, type SigningContext, sameSignature, trailerSignature } from '../auth/signature.ts';
import { S3Error } from './errors.ts';

/**
 * Decodes a body in `aws-chunked` form: chunks of `<hex size>[;chunk-signature=<hex>]CRLF<bytes>CRLF`, the last of
 * size 0, then trailers. Bytes are passed on as they come; a bad signature ends the stream with an error, and the
 * object that was being written never becomes visible.
 * https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html
 */

const MAXIMUM_LINE_BYTES = 4096;
const MAXIMUM_TRAILERS = 16;

/** Reads lines and bytes from a stream by turns. */
class ByteReader {
  readonly #source: AsyncIterator<Buffer>;
  #buffer: Buffer = Buffer.alloc(0);

  constructor(source: AsyncIterable<Buffer>) {
    this.#source = source[Symbol.asyncIterator]();
  }

  /** Up to `maximum` bytes, at least one. @throws {S3Error} IncompleteBody */
  async bytes(maximum: number): Promise<Buffer> {
    if (this.#buffer.length === 0 && !(await this.#fill())) throw new S3Error('IncompleteBody');
    const taken = this.#buffer.subarray(0, maximum);
    this.#buffer = this.#buffer.subarray(taken.length);
    return taken;
  }

  /** The next line without its CRLF; null at the end of the stream. */
  async line(): Promise<string | null> {
    let end = this.#buffer.indexOf('\r\n');
    while (end < 0) {
      if (this.#buffer.length > MAXIMUM_LINE_BYTES)
        throw new S3Error('InvalidRequest', 'A chunk header is too long.');
      if (!(await this.#fill())) {
        if (this.#buffer.length === 0) return null;
        throw new S3Error('IncompleteBody');
      }
      end = this.#buffer.indexOf('\r\n');
    }
    const line = this.#buffer.toString('latin1', 0, end);
    this.#buffer = this.#buffer.subarray(end + 2);
    return line;
  }

  async #fill(): Promise<boolean> {
    const { value, done } = await this.#source.next();
    if (done) return false;
    this.#buffer = this.#buffer.length > 0 ? Buffer.concat([this.#buffer, value]) : value;
    return true;
  }
}

export interface ChunkedOptions {
  trailer: boolean;
  signing?: SigningContext & { seed: string };
  /** Filled with the trailers, lower-case names, once the body has ended. */
  trailers: Map<string, string>;
}

/** @throws {S3Error} SignatureDoesNotMatch, IncompleteBody, InvalidRequest */
export async function* decodeChunks(
  source: AsyncIterable<Buffer>,
  { trailer, signing, trailers }: ChunkedOptions,
): AsyncGenerator<Buffer> {
  const reader = new ByteReader(source);
  let signature = signing?.seed ?? '';
  for (;;) {
    const header = readChunkHeader(await reader.line());
    const sha256 = signing && createHash('sha256');
    let remaining = header.sizeBytes;
    while (remaining > 0) {
      const bytes = await reader.bytes(remaining);
      remaining -= bytes.length;
      sha256?.update(bytes);
      yield bytes;
    }
    if (signing && sha256) {
      signature = chunkSignature(signing, signature, sha256.digest('hex'));
      if (!sameSignature(signature, header.signature)) throw new S3Error('SignatureDoesNotMatch');
    }
    if (header.sizeBytes === 0) break;
    if ((await reader.line()) !== '')
      throw new S3Error('InvalidRequest', 'A chunk does not end where it should.');
  }
  await readTrailers(reader, trailers);
  if (!trailer && trailers.size > 0) throw new S3Error('InvalidRequest', 'Trailers were not announced.');
  if (trailer && signing) {
    const sent = trailers.get('x-amz-trailer-signature') ?? '';
    trailers.delete('x-amz-trailer-signature');
    if (!sameSignature(trailerSignature(signing, signature, trailers), sent)) {
      throw new S3Error('SignatureDoesNotMatch');
    }
  }
}

function readChunkHeader(line: string | null): { sizeBytes: number; signature: string } {
  if (line === null) throw new S3Error('IncompleteBody');
  const match = /^([0-9a-fA-F]{1,10})(?:;chunk-signature=([0-9a-f]{64}))?$/.exec(line);
  if (!match) throw new S3Error('InvalidRequest', 'A chunk header is malformed.');
  return { sizeBytes: Number.parseInt(match[1]!, 16), signature: match[2] ?? '' };
}

/** Reads trailers and empty lines to the end of the body. */
async function readTrailers(reader: ByteReader, trailers: Map<string, string>): Promise<void> {
  for (let line = await reader.line(); line !== null; line = await reader.line()) {
    if (line === '') continue;
    const colon = line.indexOf(':');
    if (colon < 1 || trailers.size >= MAXIMUM_TRAILERS)
      throw new S3Error('InvalidRequest', 'A trailer is malformed.');
    trailers.set(line.slice(0, colon).trim().toLowerCase(), line.slice(colon + 1).trim());
  }
}
