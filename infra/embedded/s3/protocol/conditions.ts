import { S3Error } from './errors.ts';
import type { Headers } from './request.ts';

/** Conditional requests (RFC 9110 section 13) and ranges (section 14), as pure functions. */

interface Version {
  etag: string;
  modifiedAt: number;
}

/** Does a list such as `"a", W/"b"` or `*` name the ETag? Some clients leave the quotes out. */
function names(list: string, etag: string): boolean {
  return list.split(',').some((item) => {
    const text = item.trim();
    return text === '*' || text.replace(/^W\//, '').replace(/^"(.*)"$/, '$1') === etag;
  });
}

/** HTTP dates have whole seconds. */
const seconds = (milliseconds: number): number => Math.floor(milliseconds / 1000);

function modifiedAfter(version: Version, date: string): boolean {
  const at = Date.parse(date);
  return Number.isNaN(at) || seconds(version.modifiedAt) > seconds(at);
}

/**
 * @param prefix '' for the object read, `x-amz-copy-source-` for the source of a copy
 * @returns whether the client has that version already
 * @throws {S3Error} PreconditionFailed
 */
export function isUnmodified(headers: Headers, version: Version, prefix = ''): boolean {
  const ifMatch = headers[`${prefix}if-match`];
  const ifUnmodifiedSince = headers[`${prefix}if-unmodified-since`];
  const ifNoneMatch = headers[`${prefix}if-none-match`];
  const ifModifiedSince = headers[`${prefix}if-modified-since`];
  if (ifMatch !== undefined) {
    if (!names(ifMatch, version.etag)) throw new S3Error('PreconditionFailed');
  } else if (ifUnmodifiedSince !== undefined && !Number.isNaN(Date.parse(ifUnmodifiedSince))) {
    if (modifiedAfter(version, ifUnmodifiedSince)) throw new S3Error('PreconditionFailed');
  }
  if (ifNoneMatch !== undefined) return names(ifNoneMatch, version.etag);
  return ifModifiedSince !== undefined && !modifiedAfter(version, ifModifiedSince);
}

/**
 * Checks `If-Match` and `If-None-Match: *` of a request that writes or deletes.
 * @param current the object it would replace
 * @throws {S3Error} PreconditionFailed, NoSuchKey, NotImplemented
 */
export function checkWrite(headers: Headers, current: Version | undefined): void {
  const ifMatch = headers['if-match'];
  const ifNoneMatch = headers['if-none-match'];
  if (ifNoneMatch !== undefined) {
    if (ifNoneMatch.trim() !== '*')
      throw new S3Error('NotImplemented', 'If-None-Match on writing takes * only.');
    if (current) throw new S3Error('PreconditionFailed');
  }
  if (ifMatch !== undefined) {
    if (!current) throw new S3Error('NoSuchKey');
    if (!names(ifMatch, current.etag)) throw new S3Error('PreconditionFailed');
  }
}

/** First and last byte, both inclusive. */
export interface ByteRange {
  start: number;
  end: number;
}

/**
 * Reads `bytes=a-b`, `bytes=a-` or `bytes=-n`. Anything else, several ranges too, is ignored as RFC 9110 allows.
 * @throws {S3Error} InvalidRange when the object has no such byte
 */
export function readRange(text: string | undefined, sizeBytes: number): ByteRange | null {
  const match = /^bytes=(\d*)-(\d*)$/.exec(text?.trim() ?? '');
  if (!match || (match[1] === '' && match[2] === '')) return null;
  const last = sizeBytes - 1;
  const [start, end] =
    match[1] === ''
      ? [Math.max(0, sizeBytes - Number(match[2])), last]
      : [Number(match[1]), match[2] === '' ? last : Math.min(Number(match[2]), last)];
  if (match[1] !== '' && match[2] !== '' && Number(match[2]) < start) return null;
  if (start > last) throw new S3Error('InvalidRange', undefined, { 'content-range': `bytes */${sizeBytes}` });
  return { start, end };
}
