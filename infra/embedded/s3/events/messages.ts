import { z } from 'zod';
import { encodeUri } from '../auth/signature.ts';
import { S3Error } from '../protocol/errors.ts';
import { container, parseXml, repeated, tag, xmlDocument } from '../protocol/xml.ts';
import type { NotificationRule, StoredObject } from '../storage/catalog.ts';

/**
 * Bucket notifications: which changes are announced, and the message in the shape MinIO sends, so that what listens
 * to one understands the other (MinIO, cmd/event-notification.go and internal/event/event.go).
 */

export const EVENT_NAMES = [
  's3:ObjectCreated:Put',
  's3:ObjectCreated:Post',
  's3:ObjectCreated:Copy',
  's3:ObjectCreated:CompleteMultipartUpload',
  's3:ObjectCreated:PutTagging',
  's3:ObjectCreated:DeleteTagging',
  's3:ObjectRemoved:Delete',
] as const;
export type EventName = (typeof EVENT_NAMES)[number];

const PATTERNS = new Set<string>([...EVENT_NAMES, 's3:ObjectCreated:*', 's3:ObjectRemoved:*']);

/** Is the change to be announced under that rule? */
export function matches(rule: NotificationRule, name: EventName, key: string): boolean {
  return (
    key.startsWith(rule.prefix) &&
    key.endsWith(rule.suffix) &&
    rule.events.some(
      (pattern) => pattern === name || (pattern.endsWith('*') && name.startsWith(pattern.slice(0, -1))),
    )
  );
}

/** Who caused a change. */
export interface Actor {
  accessKey: string;
  address: string;
  userAgent: string;
  requestId: string;
}

export interface ChangeNotice {
  name: EventName;
  bucket: string;
  key: string;
  /** Absent for a removal. */
  object?: StoredObject;
  actor: Actor;
  at: number;
  region: string;
  endpoint: string;
}

/** Header bytes are kept as Latin-1 (see signature.ts); JSON wants the text that the client meant. */
const headerText = (value: string): string => Buffer.from(value, 'latin1').toString();

/** `x-amz-meta-job-id` to `X-Amz-Meta-Job-Id`, as Go writes header names; other names stay in lower case. */
const metadataName = (name: string): string =>
  name.startsWith('x-amz-meta-') ? name.replace(/(^|-)[a-z]/g, (letter) => letter.toUpperCase()) : name;

/** Go's url.QueryEscape. */
const queryEscape = (text: string): string => encodeUri(text).replaceAll('%20', '+');

/** The message as JSON text. `size` is left out when 0 and all details of a removed object are, as MinIO does. */
export function eventMessage({
  name,
  bucket,
  key,
  object,
  actor,
  at,
  region,
  endpoint,
}: ChangeNotice): string {
  const nanoseconds = BigInt(Math.trunc(object?.modifiedAt ?? at)) * 1_000_000n;
  const details = object && {
    ...(object.sizeBytes > 0 && { size: object.sizeBytes }),
    eTag: object.etag,
    contentType: object.contentType,
    userMetadata: {
      'content-type': object.contentType,
      ...Object.fromEntries(
        Object.entries(object.metadata).map(([field, value]) => [metadataName(field), headerText(value)]),
      ),
    },
  };
  const record = {
    eventVersion: '2.0',
    eventSource: 'minio:s3',
    awsRegion: region,
    eventTime: new Date(at).toISOString(),
    eventName: name,
    userIdentity: { principalId: actor.accessKey },
    requestParameters: { principalId: actor.accessKey, region, sourceIPAddress: actor.address },
    responseElements: { 'x-amz-request-id': actor.requestId, 'x-minio-origin-endpoint': endpoint },
    s3: {
      s3SchemaVersion: '1.0',
      configurationId: 'Config',
      bucket: {
        name: bucket,
        ownerIdentity: { principalId: actor.accessKey },
        arn: `arn:aws:s3:::${bucket}`,
      },
      object: { key: queryEscape(key), ...details, sequencer: nanoseconds.toString(16).toUpperCase() },
    },
    source: { host: actor.address, port: '', userAgent: actor.userAgent },
  };
  return JSON.stringify({ EventName: name, Key: `${bucket}/${key}`, Records: [record] });
}

// --- the configuration document

const queueConfiguration = z.object({
  Id: z.string().optional(),
  Queue: z.string(),
  Event: repeated(z.string()).pipe(z.array(z.string()).min(1)),
  Filter: container(
    z.object({
      S3Key: container(
        z.object({ FilterRule: repeated(z.object({ Name: z.string(), Value: z.string() })) }),
      ).optional(),
    }),
  ).optional(),
});

const notificationDocument = z.object({
  NotificationConfiguration: container(
    z.object({
      QueueConfiguration: repeated(queueConfiguration),
      TopicConfiguration: z.undefined().optional(),
      CloudFunctionConfiguration: z.undefined().optional(),
    }),
  ),
});

/**
 * @param arns the targets there are
 * @throws {S3Error} MalformedXML; InvalidArgument for an unknown target, event or filter
 */
export function readNotifications(text: string, arns: readonly string[]): NotificationRule[] {
  const { NotificationConfiguration } = parseXml(text, notificationDocument);
  return NotificationConfiguration.QueueConfiguration.map(({ Id, Queue, Event, Filter }, index) => {
    if (!arns.includes(Queue)) {
      throw new S3Error(
        'InvalidArgument',
        `The destination ${Queue} does not exist; there is ${arns.join(' or ')}.`,
      );
    }
    const unknown = Event.find((name) => !PATTERNS.has(name));
    if (unknown !== undefined) throw new S3Error('InvalidArgument', `The event ${unknown} is not supported.`);
    const filters = new Map(Filter?.S3Key?.FilterRule.map(({ Name, Value }) => [Name.toLowerCase(), Value]));
    for (const name of filters.keys()) {
      if (name !== 'prefix' && name !== 'suffix')
        throw new S3Error('InvalidArgument', 'Filters: prefix and suffix.');
    }
    return {
      id: Id || `rule-${index + 1}`,
      arn: Queue,
      events: Event,
      prefix: filters.get('prefix') ?? '',
      suffix: filters.get('suffix') ?? '',
    };
  });
}

export function writeNotifications(rules: readonly NotificationRule[]): string {
  const filterRule = (name: string, value: string) =>
    value === '' ? undefined : tag('FilterRule', tag('Name', name), tag('Value', value));
  return xmlDocument(
    'NotificationConfiguration',
    rules.map(({ id, arn, events, prefix, suffix }) =>
      tag(
        'QueueConfiguration',
        tag('Id', id),
        tag('Queue', arn),
        events.map((name) => tag('Event', name)),
        tag('Filter', tag('S3Key', filterRule('prefix', prefix), filterRule('suffix', suffix))),
      ),
    ),
  );
}
