import { mkdtemp, rm } from 'node:fs/promises';
import { request as httpRequest } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { S3Client } from '@aws-sdk/client-s3';
import { Client as MinioClient } from 'minio';
import { type S3ServerOptions, startS3Server } from '../../infra/embedded/s3/server.ts';
import { sha256, signedHeaders } from './sign.ts';

/**
 * The server under test. The conformance tests run against our own server, or against any other when
 * AIMA_TEST_S3_ENDPOINT (http://host:port), AIMA_TEST_S3_ACCESS_KEY, AIMA_TEST_S3_SECRET_KEY and, if it is not
 * us-east-1, AIMA_TEST_S3_REGION are set.
 */

export interface Endpoint {
  host: string;
  port: number;
  url: string;
  region: string;
  accessKey: string;
  secretKey: string;
  close: () => Promise<void>;
}

export const ROOT = { accessKey: 'root-key', secretKey: 'root-secret-0123456789' };

/** True when the tests run against somebody else's server. */
export const isForeign = process.env.AIMA_TEST_S3_ENDPOINT !== undefined;

/** A folder of its own, removed by the returned function. */
export async function temporaryFolder(): Promise<{ folder: string; remove: () => Promise<void> }> {
  const folder = await mkdtemp(join(tmpdir(), 'aima-s3-'));
  return { folder, remove: () => rm(folder, { recursive: true, force: true }) };
}

/** Our own server on a free port, in a folder of its own unless one is given. */
export async function startOwn(
  options: Partial<S3ServerOptions> = {},
): Promise<Endpoint & { sweep: () => Promise<number>; folder: string }> {
  const { folder, remove } = await temporaryFolder();
  const server = await startS3Server({
    host: '127.0.0.1',
    port: 0,
    folder,
    region: 'us-east-1',
    credentials: [ROOT],
    log: () => {},
    ...options,
  });
  return {
    host: '127.0.0.1',
    port: server.port,
    url: `http://127.0.0.1:${server.port}`,
    region: options.region ?? 'us-east-1',
    ...ROOT,
    folder: options.folder ?? folder,
    sweep: server.sweep,
    close: async () => {
      await server.close();
      await remove();
    },
  };
}

/** The server named by the environment, or else our own. */
export async function openEndpoint(): Promise<Endpoint> {
  const { AIMA_TEST_S3_ENDPOINT, AIMA_TEST_S3_ACCESS_KEY, AIMA_TEST_S3_SECRET_KEY, AIMA_TEST_S3_REGION } =
    process.env;
  if (AIMA_TEST_S3_ENDPOINT === undefined) return startOwn();
  const url = new URL(AIMA_TEST_S3_ENDPOINT);
  return {
    host: url.hostname,
    port: Number(url.port || 80),
    url: url.origin,
    region: AIMA_TEST_S3_REGION ?? 'us-east-1',
    accessKey: AIMA_TEST_S3_ACCESS_KEY ?? '',
    secretKey: AIMA_TEST_S3_SECRET_KEY ?? '',
    close: async () => {},
  };
}

type Keys = Pick<Endpoint, 'accessKey' | 'secretKey'>;

export function minioClient(endpoint: Endpoint, keys: Keys = endpoint, partSize?: number): MinioClient {
  return new MinioClient({
    endPoint: endpoint.host,
    port: endpoint.port,
    useSSL: false,
    region: endpoint.region,
    pathStyle: true,
    accessKey: keys.accessKey,
    secretKey: keys.secretKey,
    ...(partSize !== undefined && { partSize }),
  });
}

export function awsClient(endpoint: Endpoint, keys: Keys = endpoint): S3Client {
  return new S3Client({
    endpoint: endpoint.url,
    region: endpoint.region,
    forcePathStyle: true,
    maxAttempts: 1,
    credentials: { accessKeyId: keys.accessKey, secretAccessKey: keys.secretKey },
  });
}

/** A new bucket; its name differs from run to run, for servers that outlive the tests. */
export async function newBucket(client: MinioClient): Promise<string> {
  const name = `test-${Date.now().toString(36)}-${Math.random().toString(36).slice(2, 8)}`;
  await client.makeBucket(name);
  return name;
}

export interface RawAnswer {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  text: string;
  /** The S3 error code, '' where there is none. */
  code: string;
}

/** Sends exactly what it is given: paths are not normalised, no header is added but Host and the body's length. */
export function rawRequest(
  endpoint: Endpoint,
  method: string,
  path: string,
  headers: Record<string, string> = {},
  body?: Buffer | string,
): Promise<RawAnswer> {
  return new Promise((resolve, reject) => {
    const length = body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) };
    const outgoing = httpRequest(
      { host: endpoint.host, port: endpoint.port, method, path, headers: { ...length, ...headers } },
      (incoming) => {
        const pieces: Buffer[] = [];
        incoming.on('data', (piece: Buffer) => pieces.push(piece));
        incoming.on('error', reject);
        incoming.on('end', () => {
          const text = Buffer.concat(pieces).toString();
          const code = /<Code>(.*?)<\/Code>/.exec(text)?.[1] ?? '';
          resolve({ status: incoming.statusCode ?? 0, headers: incoming.headers, text, code });
        });
      },
    );
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}

/** All bytes of a stream. */
export async function readAll(stream: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of stream) pieces.push(piece);
  return Buffer.concat(pieces);
}

/** A request signed by hand. */
export function sendSigned(
  endpoint: Endpoint,
  method: string,
  path: string,
  {
    headers = {},
    query = {},
    body,
  }: { headers?: Record<string, string>; query?: Record<string, string>; body?: Buffer } = {},
): Promise<RawAnswer> {
  const request = { method, path, host: `${endpoint.host}:${endpoint.port}`, headers, query };
  const signed = signedHeaders(endpoint, request, sha256(body ?? ''));
  return rawRequest(endpoint, method, signed.target, signed.headers, body);
}

/** HTTP status of what the AWS SDK did. */
export async function statusOf(promise: Promise<{ $metadata: { httpStatusCode?: number | undefined } }>) {
  try {
    return (await promise).$metadata.httpStatusCode;
  } catch (error) {
    return (error as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode;
  }
}
