import type { Authenticator } from '../auth/authenticate.ts';
import { type Actor, type EventName, eventMessage, matches } from '../events/messages.ts';
import { MAXIMUM_WAITING_EVENTS } from '../events/outbox.ts';
import type { S3Request } from '../protocol/request.ts';
import type { Change, StoredObject } from '../storage/catalog.ts';
import type { ObjectStore } from '../storage/store.ts';

/** What the operations work with. */
export interface S3Context {
  store: ObjectStore;
  authenticator: Authenticator;
  region: string;
  /** Milliseconds since 1970. */
  now: () => number;
  /** Notification targets that a bucket may name. */
  arns: readonly string[];
  /** Own address, told in events. */
  endpoint: () => string;
}

export function actorOf(request: S3Request, accessKey: string): Actor {
  return {
    accessKey,
    address: request.incoming.socket.remoteAddress ?? '',
    userAgent: request.headers['user-agent'] ?? '',
    requestId: request.id,
  };
}

/**
 * The event for a change, if the bucket asks for one: to be committed together with the change. Removals leave
 * `object` out.
 */
export function announce(
  context: S3Context,
  actor: Actor,
  name: EventName,
  bucket: string,
  key: string,
  object?: StoredObject,
): Change[] {
  const { store, region, now } = context;
  const wanted = store.bucket(bucket).notifications.some((rule) => matches(rule, name, key));
  if (!wanted || store.catalog.events.size >= MAXIMUM_WAITING_EVENTS) return [];
  const notice = { name, bucket, key, actor, at: now(), region, endpoint: context.endpoint() };
  const message = eventMessage({ ...notice, ...(object && { object }) });
  return [{ type: 'event', sequence: store.catalog.nextSequence(), message }];
}
