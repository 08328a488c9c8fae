import { z } from 'zod';
import type { Description, StoredObject, Tag } from '../storage/catalog.ts';
import { S3Error } from './errors.ts';
import type { Headers, SignedRequest } from './request.ts';
import { container, parseXml, repeated, tag, xmlDocument } from './xml.ts';

/** What clients say about an object: content type, the headers stored with it, user metadata and tags. */

const STORED_HEADERS = [
  'cache-control',
  'content-disposition',
  'content-encoding',
  'content-language',
  'expires',
] as const;
const USER_PREFIX = 'x-amz-meta-';
const MAXIMUM_USER_BYTES = 2048;
/** Encryption, locks and the like: storing the object without them would be a broken promise. */
const REFUSED = /^x-amz-(server-side-encryption|object-lock|website-redirect-location)/;
/** What an HTTP header may hold when it is sent back. */
const HEADER_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;

function checked(name: string, value: string): string {
  if (!HEADER_VALUE.test(value))
    throw new S3Error('InvalidArgument', `${name} holds characters a header cannot.`);
  return value;
}

/**
 * Reads a description from request headers or POST form fields, names in lower case.
 * @throws {S3Error} MetadataTooLarge, InvalidArgument, InvalidTag, NotImplemented
 */
export function readDescription(fields: Headers): Description {
  const metadata: Record<string, string> = {};
  let userBytes = 0;
  for (const [name, value] of Object.entries(fields)) {
    if (value === undefined) continue;
    if (REFUSED.test(name)) throw new S3Error('NotImplemented', `${name} is not implemented.`);
    if (!name.startsWith(USER_PREFIX)) continue;
    if (!/^[!#$%&'*+.^`|~\w-]+$/.test(name))
      throw new S3Error('InvalidArgument', 'A metadata name is not valid.');
    userBytes += name.length - USER_PREFIX.length + value.length;
    metadata[name] = checked(name, value);
  }
  if (userBytes > MAXIMUM_USER_BYTES) throw new S3Error('MetadataTooLarge');
  for (const name of STORED_HEADERS) {
    const value = name === 'content-encoding' ? withoutChunking(fields[name]) : fields[name];
    if (value) metadata[name] = checked(name, value);
  }
  const contentType = checked('content-type', fields['content-type'] || 'application/octet-stream');
  return { contentType, metadata, tags: readTagHeader(fields['x-amz-tagging']) };
}

/** The description in a PUT: its headers, and the metadata that signers of presigned addresses put in the query. */
export function descriptionOf(request: SignedRequest): Description {
  const hoisted = [...request.query]
    .map(([name, value]): [string, string] => [name.toLowerCase(), value])
    .filter(([name]) => name.startsWith(USER_PREFIX) || name === 'x-amz-tagging');
  return readDescription({ ...Object.fromEntries(hoisted), ...request.headers });
}

/** `aws-chunked` is how the body travelled, not how the object is encoded. */
function withoutChunking(encoding: string | undefined): string | undefined {
  const codings = encoding?.split(',').map((coding) => coding.trim());
  return codings?.filter((coding) => coding !== '' && coding !== 'aws-chunked').join(',');
}

/** Response headers that describe an object. `response-*` parameters of the request override what is stored. */
export function objectHeaders(
  object: StoredObject,
  query: ReadonlyMap<string, string>,
): Record<string, string> {
  const headers: Record<string, string> = {
    ...object.metadata,
    'content-type': object.contentType,
    etag: `"${object.etag}"`,
    'last-modified': new Date(object.modifiedAt).toUTCString(),
    'accept-ranges': 'bytes',
  };
  if (object.tags.length > 0) headers['x-amz-tagging-count'] = String(object.tags.length);
  for (const name of ['content-type', ...STORED_HEADERS]) {
    const override = query.get(`response-${name}`);
    if (override !== undefined) headers[name] = checked(name, override);
  }
  return headers;
}

// --- tags

function checkTags(tags: Tag[]): Tag[] {
  const names = new Set(tags.map((entry) => entry.key));
  const fits = tags.every(({ key, value }) => key.length >= 1 && key.length <= 128 && value.length <= 256);
  if (tags.length > 10 || names.size < tags.length || !fits) throw new S3Error('InvalidTag');
  return tags;
}

function readTagHeader(text: string | undefined): Tag[] {
  return checkTags([...new URLSearchParams(text ?? '')].map(([key, value]) => ({ key, value })));
}

const tagging = z.object({
  Tagging: container(
    z.object({
      TagSet: container(z.object({ Tag: repeated(z.object({ Key: z.string(), Value: z.string() })) })),
    }),
  ),
});

/** @throws {S3Error} MalformedXML, InvalidTag */
export function readTagging(text: string): Tag[] {
  return checkTags(
    parseXml(text, tagging).Tagging.TagSet.Tag.map(({ Key, Value }) => ({ key: Key, value: Value })),
  );
}

export function writeTagging(tags: Tag[]): string {
  const entries = tags.map(({ key, value }) => tag('Tag', tag('Key', key), tag('Value', value)));
  return xmlDocument('Tagging', tag('TagSet', entries));
}
