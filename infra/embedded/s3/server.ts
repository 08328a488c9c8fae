import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Certificate } from '../../certificate/certificate.ts';
import type { Credential } from './auth/access.ts';
import { Outbox, type OutboxOptions } from './events/outbox.ts';
import type { S3Context } from './operations/context.ts';
import { sweepExpired } from './operations/lifecycle.ts';
import { carryOut } from './operations/router.ts';
import { sendEmpty, sendError, toS3Error } from './protocol/answer.ts';
import { allowOrigin, answerPreflight } from './protocol/cors.ts';
import { S3Error } from './protocol/errors.ts';
import { readRequest } from './protocol/request.ts';
import { ObjectStore } from './storage/store.ts';

/**
 * A small S3 server for one machine. It speaks the S3 API with path-style addresses, verifies every signature and
 * refuses strangers, survives a crash at any moment, and announces changes over MQTT in MinIO's shape.
 *
 * A request goes through protocol/request (its address is taken apart), operations/router (auth/ finds out who sent
 * it and what they may do, then the table of operations), an operation, and protocol/answer. Bytes go to
 * storage/blobs, what is known of them to storage/catalog by way of storage/journal; storage/store says in which
 * order. events/messages makes the bucket events that events/outbox delivers; operations/lifecycle deletes by age.
 *
 * Not here: versions, object locks, encryption, bucket policies and ACLs, virtual-host addresses, SigV2 and SigV4A.
 * Of a multipart upload each part's checksum is verified, but none is kept for the whole object.
 */

export interface S3ServerOptions {
  host: string;
  /** 0: any free port. */
  port: number;
  /** With it: a port on all addresses too, over TLS. Who signs for it reads and writes the same. */
  outside?: Certificate & { port: number };
  /** Where everything is kept; created if missing. */
  folder: string;
  region: string;
  credentials: readonly Credential[];
  /** Origins that browsers may call from; default `*`. */
  allowedOrigins?: readonly string[];
  /** Where bucket events go; without it no bucket can ask for any. */
  events?: Omit<OutboxOptions, 'log'>;
  now?: () => number;
  log?: (line: string) => void;
  /** See StoreOptions. */
  onFatal?: (error: unknown) => void;
  journalGrowthBytes?: number;
}

export interface S3Server {
  port: number;
  /** Lets requests under way finish for a moment, then ends them. What was acknowledged is on disk anyway. */
  close: () => Promise<void>;
  /** Runs the deletion by age now; it also runs every hour. */
  sweep: () => Promise<number>;
}

const HEALTH_PATHS = new Set(['/minio/health/live', '/minio/health/ready']);
const SWEEP_INTERVAL_MS = 3600_000;
/** A reader that analyses while it streams may pause for minutes; a connection silent for longer is dead. */
const IDLE_CONNECTION_MS = 15 * 60_000;
const CLOSE_PATIENCE_MS = 2000;

/** `AIMA` is the target's id; MinIO accepts an ARN without its region too. */
const targetArns = (region: string): string[] => [
  `arn:minio:sqs:${region}:AIMA:mqtt`,
  'arn:minio:sqs::AIMA:mqtt',
];

/** Opens the store and listens. @throws when the folder is in use or the port taken */
export async function startS3Server(options: S3ServerOptions): Promise<S3Server> {
  const { host, region } = options;
  const now = options.now ?? Date.now;
  const log = options.log ?? console.error;
  const store = await ObjectStore.open({
    folder: options.folder,
    log,
    onFatal: options.onFatal ?? ((error) => log(`the journal cannot be written: ${error}`)),
    ...(options.journalGrowthBytes !== undefined && { journalGrowthBytes: options.journalGrowthBytes }),
  });
  const outbox = options.events && new Outbox(store, { ...options.events, log });
  if (outbox) store.onEvents = () => outbox.wake();

  let port = options.port;
  const context: S3Context = {
    store,
    authenticator: {
      credentials: new Map(options.credentials.map((credential) => [credential.accessKey, credential])),
      region,
      now,
    },
    region,
    now,
    arns: outbox ? targetArns(region) : [],
    endpoint: () => `http://${host}:${port}`,
  };

  const answer = (incoming: IncomingMessage, response: ServerResponse): void => {
    handle(context, options.allowedOrigins ?? ['*'], log, incoming, response).catch((error) => {
      log(`${incoming.method} failed: ${error instanceof Error ? error.stack : error}`);
      response.destroy();
    });
  };
  // Large uploads take longer than Node's default of five minutes for a request.
  const limits = { requestTimeout: 0, keepAliveTimeout: 65_000 };
  const server = createServer(limits, answer);
  const servers: Server[] = [server];
  try {
    await listen(server, answer, options.port, host);
    if (options.outside) {
      const { certificate: cert, key, port } = options.outside;
      const tls = createTlsServer({ ...limits, cert, key, minVersion: 'TLSv1.3' }, answer);
      servers.push(tls);
      await listen(tls, answer, port, undefined);
    }
  } catch (error) {
    for (const one of servers) one.close();
    await outbox?.close();
    await store.close();
    throw error;
  }
  port = (server.address() as AddressInfo).port;

  const sweep = async (): Promise<number> => {
    const swept = await sweepExpired(context);
    if (swept > 0) log(`lifecycle: removed ${swept} objects and unfinished uploads`);
    return swept;
  };
  const sweepQuietly = (): void => {
    sweep().catch((error) => log(`lifecycle: ${error}`));
  };
  sweepQuietly();
  const timer = setInterval(sweepQuietly, SWEEP_INTERVAL_MS);

  return {
    port,
    sweep,
    close: async () => {
      clearInterval(timer);
      await Promise.all(servers.map(closeServer));
      await outbox?.close();
      await store.close();
    },
  };
}

/** Without a host: on all addresses. */
async function listen(
  server: Server,
  answer: (incoming: IncomingMessage, response: ServerResponse) => void,
  port: number,
  host: string | undefined,
): Promise<void> {
  server.on('checkContinue', answer); // operations ask for the body once they know that they want it
  server.setTimeout(IDLE_CONNECTION_MS);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  });
}

async function closeServer(server: Server): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeIdleConnections();
  const impatience = setTimeout(() => server.closeAllConnections(), CLOSE_PATIENCE_MS);
  await closed;
  clearTimeout(impatience);
}

async function handle(
  context: S3Context,
  origins: readonly string[],
  log: (line: string) => void,
  incoming: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const allowed = allowOrigin(origins, incoming, response);
  if (incoming.method === 'OPTIONS') return answerPreflight(allowed, incoming, response);
  if (HEALTH_PATHS.has(incoming.url ?? '') && /^(GET|HEAD)$/.test(incoming.method ?? '')) {
    return sendEmpty(response, 200);
  }
  let requestId = '';
  try {
    const request = readRequest(incoming, response);
    requestId = request.id;
    response.setHeader('x-amz-request-id', requestId);
    await carryOut(context, request);
  } catch (error) {
    if (response.destroyed || incoming.socket.destroyed) return; // the client went away
    if (!(error instanceof S3Error))
      log(`request ${requestId}: ${error instanceof Error ? error.stack : error}`);
    await sendError(incoming, response, requestId, toS3Error(error));
  }
}
