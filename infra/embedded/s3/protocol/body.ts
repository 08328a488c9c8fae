import type { Blob } from '../storage/blobs.ts';
import type { ObjectStore } from '../storage/store.ts';
import { BodyDigest, type Checksum } from './checksums.ts';
import { decodeChunks } from './chunked.ts';
import { S3Error } from './errors.ts';
import type { SignedRequest } from './request.ts';

/** Reading of request bodies: checked against all that the client said of them, in bounded memory. */

/** AWS's limit for one PUT or part, which clients know. */
export const MAXIMUM_BODY_BYTES = 5 * 2 ** 30;
/** Enough for 10,000 parts with checksums in a CompleteMultipartUpload. */
const MAXIMUM_TEXT_BYTES = 4 << 20;

export interface ReceivedBlob {
  blob: Blob;
  /** MD5, hexadecimal. */
  md5: string;
  checksum?: Checksum;
}

/** Counts and digests what passes. @throws {S3Error} EntityTooLarge above `maximumBytes` */
async function* observed(
  source: AsyncIterable<Buffer>,
  maximumBytes: number,
  observe: (data: Buffer) => void,
): AsyncGenerator<Buffer> {
  let sizeBytes = 0;
  for await (const data of source) {
    sizeBytes += data.length;
    if (sizeBytes > maximumBytes) throw new S3Error('EntityTooLarge');
    observe(data);
    yield data;
  }
}

/** The decoded body. Leaves the request open when it is not read to its end, so that an error can be answered. */
function decodedBody(request: SignedRequest, trailers: Map<string, string>): AsyncIterable<Buffer> {
  const { incoming, payload, response } = request;
  if (request.headers.expect?.toLowerCase() === '100-continue') response.writeContinue();
  const raw: AsyncIterable<Buffer> = incoming.iterator({ destroyOnReturn: false });
  return payload.type === 'chunked' ? decodeChunks(raw, { ...payload, trailers }) : raw;
}

/** Length of the body once decoded; undefined where the client did not say. @throws {S3Error} */
function announcedBytes({ headers, payload }: SignedRequest): number | undefined {
  const text = headers[payload.type === 'chunked' ? 'x-amz-decoded-content-length' : 'content-length'];
  if (text === undefined) {
    if (headers['transfer-encoding'] === undefined) throw new S3Error('MissingContentLength');
    return undefined;
  }
  if (!/^\d{1,15}$/.test(text)) throw new S3Error('InvalidArgument', 'The length is not a whole number.');
  return Number(text);
}

/**
 * Stores the body as a blob that nothing holds yet. On error nothing is left.
 * @throws {S3Error} EntityTooLarge, IncompleteBody, BadDigest, SignatureDoesNotMatch, StorageFull and others
 */
export async function receiveBlob(store: ObjectStore, request: SignedRequest): Promise<ReceivedBlob> {
  const announced = announcedBytes(request);
  if (announced !== undefined && announced > MAXIMUM_BODY_BYTES) throw new S3Error('EntityTooLarge');
  await store.ensureRoom(announced ?? 0);
  const { payload } = request;
  const digest = new BodyDigest(request.headers, payload.type === 'sha256' ? payload.sha256 : undefined);
  const trailers = new Map<string, string>();
  return storeBlob(store, decodedBody(request, trailers), MAXIMUM_BODY_BYTES, digest, (sizeBytes) => {
    if (announced !== undefined && sizeBytes !== announced) throw new S3Error('IncompleteBody');
    return trailers;
  });
}

/**
 * Stores a stream as a blob.
 * @param accept called with the size at the end; throws to refuse it, or returns the trailers
 */
export async function storeBlob(
  store: ObjectStore,
  source: AsyncIterable<Buffer>,
  maximumBytes: number,
  digest: BodyDigest,
  accept: (sizeBytes: number) => ReadonlyMap<string, string>,
): Promise<ReceivedBlob> {
  let verdict: ReturnType<BodyDigest['finish']> | undefined;
  const checked = async function* (): AsyncGenerator<Buffer> {
    let sizeBytes = 0;
    for await (const data of observed(source, maximumBytes, (bytes) => digest.update(bytes))) {
      sizeBytes += data.length;
      yield data;
    }
    verdict = digest.finish(accept(sizeBytes)); // before the blob is synced: a refused body costs no fsync
  };
  const blob = await store.blobs.write(checked());
  return { blob, ...verdict! };
}

/** The whole body as text. @throws {S3Error} as receiveBlob does */
export async function receiveText(request: SignedRequest): Promise<string> {
  const { payload } = request;
  const digest = new BodyDigest(request.headers, payload.type === 'sha256' ? payload.sha256 : undefined);
  const trailers = new Map<string, string>();
  const pieces: Buffer[] = [];
  const body = observed(decodedBody(request, trailers), MAXIMUM_TEXT_BYTES, (data) => digest.update(data));
  for await (const data of body) pieces.push(data);
  digest.finish(trailers);
  return Buffer.concat(pieces).toString();
}
