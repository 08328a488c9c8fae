/**
 * The media bucket, at any S3 server. Keys:
 *
 *   uploads/<jobId>/<file name>   uploaded for a job that was announced before
 *   inbox/…                       put there by any S3 client; becomes a job by itself
 *   results/<jobId>/…             pictures that analyzers keep
 *
 * Three addresses: the inner one for our own reads and writes; for presigned URLs, since the host is
 * part of what is signed, the public one and the one that rented workers use. With the region given,
 * signing needs no network.
 */
import type { Readable } from 'node:stream';
import { Client, CopyConditions } from 'minio';
import type { Config } from '../config.ts';
import { AimaError } from '../errors.ts';

/** What one request of a worker to the bucket looks like: for `multipart/form-data`. */
export interface PostPolicy {
  url: string;
  fields: Record<string, string>;
}

/** A worker beside us reaches what we reach; in a container the public name may lead nowhere. */
export type WorkerPlace = 'beside us' | 'rented';

export interface ObjectInfo {
  sizeBytes: number;
  etag: string;
  contentType: string | null;
  lastModifiedAt: Date;
}

/** Keys below which a person's own S3 client may write. */
export const inboxPrefix = 'inbox/';

/** File names come from people: keep what is readable, lose what S3 clients or shells stumble over. */
export function uploadKey(jobId: string, name: string): string {
  const safe = name
    .normalize('NFC')
    .split(/[\\/]/)
    .pop()!
    .replace(/[^\p{L}\p{N}._-]+/gu, '_')
    .replace(/^\.+/, '');
  // By characters: half of one could not be put into a URL.
  return `uploads/${jobId}/${[...safe].slice(-120).join('') || 'medium'}`;
}

export type Bucket = ReturnType<typeof openBucket>;

export function openBucket(config: Config) {
  const credentials = {
    accessKey: config.secret('s3-access-key'),
    secretKey: config.secret('s3-secret-key'),
  };
  const client = (endpoint: string) => {
    const url = new URL(endpoint);
    return naming(
      new Client({
        endPoint: url.hostname,
        port: Number(url.port) || (url.protocol === 'https:' ? 443 : 80),
        useSSL: url.protocol === 'https:',
        region: config.AIMA_S3_REGION,
        pathStyle: true,
        ...credentials,
      }),
    );
  };
  const inner = client(config.AIMA_S3_ENDPOINT);
  const outer = client(config.AIMA_S3_PUBLIC_ENDPOINT ?? config.AIMA_S3_ENDPOINT);
  const rented = config.AIMA_S3_WORKER_ENDPOINT ? client(config.AIMA_S3_WORKER_ENDPOINT) : outer;
  const signerFor = (worker?: WorkerPlace) =>
    worker === 'rented' ? rented : worker === 'beside us' ? inner : outer;
  const name = config.AIMA_S3_BUCKET;

  return {
    name,

    /** null where there is no such object. */
    async stat(key: string): Promise<ObjectInfo | null> {
      try {
        const found = await inner.statObject(name, key);
        return {
          sizeBytes: found.size,
          etag: found.etag,
          contentType:
            typeof found.metaData['content-type'] === 'string' ? found.metaData['content-type'] : null,
          lastModifiedAt: found.lastModified,
        };
      } catch (error) {
        if (isMissing(error)) return null;
        throw error;
      }
    },

    /** Bytes [start, end) of an object. */
    async read(key: string, start: number, end: number): Promise<Buffer> {
      const chunks: Buffer[] = [];
      for await (const chunk of await inner.getPartialObject(name, key, start, end - start))
        chunks.push(chunk);
      return Buffer.concat(chunks);
    },

    open(key: string): Promise<Readable> {
      return inner.getObject(name, key);
    },

    /** Streams an object in; memory stays bounded by one part (64 MiB at the most). */
    async write(
      key: string,
      body: Readable | Buffer,
      contentType: string,
      sizeBytes?: number,
    ): Promise<void> {
      await inner.putObject(name, key, body, sizeBytes, { 'Content-Type': contentType });
    },

    async copy(from: string, to: string): Promise<void> {
      // The client escapes it.
      await inner.copyObject(name, to, `/${name}/${from}`, new CopyConditions());
    },

    async remove(key: string): Promise<void> {
      await inner.removeObject(name, key);
    },

    async removeAll(prefix: string): Promise<void> {
      const keys: string[] = [];
      for await (const item of inner.listObjectsV2(name, prefix, true)) if (item.name) keys.push(item.name);
      if (keys.length === 0) return;
      // Answers with what could not be removed, where everything else throws.
      const faults = await inner.removeObjects(name, keys);
      if (faults.some(Boolean))
        throw new Error(`${faults.length} objects below ${prefix} could not be removed.`);
    },

    /** Objects below a prefix, in the order of their keys, from the first after `startAfter` on. */
    async *list(
      prefix: string,
      startAfter = '',
    ): AsyncGenerator<{ key: string; sizeBytes: number; etag: string }> {
      for await (const item of inner.listObjectsV2(name, prefix, true, startAfter)) {
        if (item.name) yield { key: item.name, sizeBytes: item.size ?? 0, etag: item.etag ?? '' };
      }
    },

    /**
     * @param options.disposition what the answer shall say in Content-Disposition.
     * @param options.worker for whom; left out: for whoever is outside.
     */
    presignGet(
      key: string,
      expirySeconds: number,
      options: { disposition?: string; worker?: WorkerPlace } = {},
    ): Promise<string> {
      const headers: Record<string, string> = options.disposition
        ? { 'response-content-disposition': options.disposition }
        : {};
      return signerFor(options.worker).presignedGetObject(name, key, expirySeconds, headers);
    },

    presignPut(key: string, expirySeconds: number): Promise<string> {
      return outer.presignedPutObject(name, key, expirySeconds);
    },

    async startMultipart(key: string, contentType: string): Promise<string> {
      return inner.initiateNewMultipartUpload(name, key, { 'Content-Type': contentType });
    },

    presignPart(key: string, uploadId: string, partNumber: number, expirySeconds: number): Promise<string> {
      return outer.presignedUrl('PUT', name, key, expirySeconds, {
        uploadId,
        partNumber: String(partNumber),
      });
    },

    /** @returns its ETag. */
    async writePart(key: string, uploadId: string, partNumber: number, body: Buffer): Promise<string> {
      const part = { bucketName: name, objectName: key, uploadID: uploadId, partNumber, headers: {} };
      return (await inner.uploadPart(part, body)).etag;
    },

    async finishMultipart(
      key: string,
      uploadId: string,
      parts: { part: number; etag: string }[],
    ): Promise<void> {
      await inner.completeMultipartUpload(name, key, uploadId, parts);
    },

    async abortMultipart(key: string, uploadId: string): Promise<void> {
      await inner.abortMultipartUpload(name, key, uploadId).catch((error: unknown) => {
        if (!isMissing(error)) throw error;
      });
    },

    /** A form that can add objects below one prefix and nothing else, until it expires. */
    async presignPost(
      prefix: string,
      expirySeconds: number,
      maxBytes: number,
      worker: WorkerPlace,
    ): Promise<PostPolicy> {
      const signer = signerFor(worker);
      const policy = signer.newPostPolicy();
      policy.setBucket(name);
      policy.setKeyStartsWith(prefix);
      policy.setExpires(new Date(Date.now() + expirySeconds * 1000));
      policy.setContentLengthRange(1, maxBytes);
      policy.setContentTypeStartsWith('image/');
      const { postURL, formData } = await signer.presignedPostPolicy(policy);
      const { key: _, 'Content-Type': __, ...fields } = formData as Record<string, string>;
      return { url: postURL, fields };
    },
  };
}

/** The client, but with a name for the one fault that is nobody's here: the store cannot be reached. */
function naming(client: Client): Client {
  const unreachable = (error: unknown) => {
    const code = String((error as { code?: unknown } | null)?.code);
    if (/^(ECONN|ETIMEDOUT|EPIPE|ENOTFOUND|EAI_AGAIN|SlowDown|ServiceUnavailable)/.test(code)) {
      throw new AimaError('storage_unavailable', 'The object store cannot be reached.', { cause: error });
    }
    throw error;
  };
  return new Proxy(client, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name);
      if (typeof value !== 'function') return value;
      return (...args: unknown[]) => {
        const result: unknown = value.apply(target, args);
        return result instanceof Promise ? result.catch(unreachable) : result;
      };
    },
  });
}

function isMissing(error: unknown): boolean {
  const code = (error as { code?: string } | null)?.code;
  return code === 'NotFound' || code === 'NoSuchKey' || code === 'NoSuchUpload';
}
