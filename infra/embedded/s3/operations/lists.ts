import { encodeUri } from '../auth/signature.ts';
import { sendXml } from '../protocol/answer.ts';
import { S3Error } from '../protocol/errors.ts';
import { pageOf } from '../protocol/listing.ts';
import { queryInteger, type SignedRequest } from '../protocol/request.ts';
import { type Markup, tag, xmlDocument } from '../protocol/xml.ts';
import type { StoredObject, Upload } from '../storage/catalog.ts';
import { SortedMap } from '../storage/sorted-map.ts';
import type { S3Context } from './context.ts';
import { findUpload } from './multipart.ts';

/** The listings: buckets, objects (versions 1 and 2), unfinished uploads, parts. */

const PAGE_LIMIT = 1000;
const isoTime = (at: number): string => new Date(at).toISOString();

export async function listBuckets(context: S3Context, request: SignedRequest): Promise<void> {
  const { scope } = request.credential;
  const visible = [...context.store.catalog.buckets].filter(([name]) => !scope || scope.bucket === name);
  const buckets = visible.map(([name, { createdAt }]) =>
    tag('Bucket', tag('Name', name), tag('CreationDate', isoTime(createdAt))),
  );
  sendXml(request.response, xmlDocument('ListAllMyBucketsResult', owner(), tag('Buckets', buckets)));
}

const owner = (name = 'Owner'): Markup => tag(name, tag('ID', 'aima'), tag('DisplayName', 'aima'));

/** Keys as the client asked for them: `encoding-type=url` makes characters safe that XML 1.0 cannot hold. */
function keyEncoder({ query }: SignedRequest): (text: string) => string {
  const encoding = query.get('encoding-type');
  if (encoding === undefined || encoding === '') return (text) => text;
  if (encoding !== 'url') throw new S3Error('InvalidArgument', 'encoding-type may be url only.');
  return (text) => text.split('/').map(encodeUri).join('/');
}

function contents(key: string, { modifiedAt, etag, sizeBytes }: StoredObject, withOwner: boolean): Markup {
  return tag(
    'Contents',
    tag('Key', key),
    tag('LastModified', isoTime(modifiedAt)),
    tag('ETag', `"${etag}"`),
    tag('Size', sizeBytes),
    withOwner ? owner() : undefined,
    tag('StorageClass', 'STANDARD'),
  );
}

/** ListObjects and ListObjectsV2. */
export async function listObjects(context: S3Context, request: SignedRequest): Promise<void> {
  const { query, bucket } = request;
  const text = (name: string): string => query.get(name) ?? '';
  const version2 = query.get('list-type') === '2';
  const encode = keyEncoder(request);
  const limit = queryInteger(request, 'max-keys', PAGE_LIMIT, PAGE_LIMIT);
  const token = text('continuation-token');
  const after = version2
    ? token === ''
      ? text('start-after')
      : Buffer.from(token, 'base64url').toString()
    : text('marker');
  const [prefix, delimiter] = [text('prefix'), text('delimiter')];
  const page = pageOf(context.store.bucket(bucket).objects, { prefix, delimiter, after, limit });
  const withOwner = !version2 || query.get('fetch-owner') === 'true';
  const position = version2
    ? [
        tag('KeyCount', page.entries.length + page.commonPrefixes.length),
        token === '' ? undefined : tag('ContinuationToken', token),
        query.has('start-after') ? tag('StartAfter', encode(text('start-after'))) : undefined,
        page.next === null
          ? undefined
          : tag('NextContinuationToken', Buffer.from(page.next).toString('base64url')),
      ]
    : [
        tag('Marker', encode(after)),
        page.next === null ? undefined : tag('NextMarker', encode(page.next)), //
      ];
  const document = xmlDocument(
    'ListBucketResult',
    tag('Name', bucket),
    tag('Prefix', encode(prefix)),
    position,
    tag('MaxKeys', limit),
    delimiter === '' ? undefined : tag('Delimiter', encode(delimiter)),
    query.get('encoding-type') === 'url' ? tag('EncodingType', 'url') : undefined,
    tag('IsTruncated', page.next !== null),
    page.entries.map(({ key, value }) => contents(encode(key), value, withOwner)),
    page.commonPrefixes.map((group) => tag('CommonPrefixes', tag('Prefix', encode(group)))),
  );
  sendXml(request.response, document);
}

/** Uploads are ordered by key, then by id; this joins the two in a text that sorts so. */
const uploadName = (key: string, uploadId: string): string => `${key}\0${uploadId}`;

/** Where a page of uploads begins. */
function uploadsAfter(keyMarker: string, idMarker: string, delimiter: string): string {
  if (idMarker !== '') return uploadName(keyMarker, idMarker);
  // A page may have ended with a common prefix; a key alone stands for all its uploads, and \u{1} sorts behind them.
  if (keyMarker === '' || (delimiter !== '' && keyMarker.endsWith(delimiter))) return keyMarker;
  return `${keyMarker}\u{1}`;
}

export async function listUploads(context: S3Context, request: SignedRequest): Promise<void> {
  const { query, bucket } = request;
  const text = (name: string): string => query.get(name) ?? '';
  const encode = keyEncoder(request);
  const limit = queryInteger(request, 'max-uploads', PAGE_LIMIT, PAGE_LIMIT);
  const [prefix, delimiter] = [text('prefix'), text('delimiter')];
  const [keyMarker, idMarker] = [text('key-marker'), text('upload-id-marker')];
  if (delimiter !== '' && delimiter !== '/')
    throw new S3Error('NotImplemented', 'The delimiter may be / only.');
  const uploads = new SortedMap<{ uploadId: string; upload: Upload }>();
  for (const [uploadId, upload] of context.store.bucket(bucket).uploads) {
    uploads.set(uploadName(upload.key, uploadId), { uploadId, upload });
  }
  const after = uploadsAfter(keyMarker, idMarker, delimiter);
  const page = pageOf(uploads, { prefix, delimiter, after, limit });
  const [nextKey = '', nextId = ''] = page.next?.split('\0') ?? [];
  const document = xmlDocument(
    'ListMultipartUploadsResult',
    tag('Bucket', bucket),
    tag('KeyMarker', encode(keyMarker)),
    tag('UploadIdMarker', idMarker),
    page.next === null
      ? undefined
      : [tag('NextKeyMarker', encode(nextKey)), tag('NextUploadIdMarker', nextId)],
    tag('Prefix', encode(prefix)),
    delimiter === '' ? undefined : tag('Delimiter', encode(delimiter)),
    query.get('encoding-type') === 'url' ? tag('EncodingType', 'url') : undefined,
    tag('MaxUploads', limit),
    tag('IsTruncated', page.next !== null),
    page.entries.map(({ value: { uploadId, upload } }) =>
      tag(
        'Upload',
        tag('Key', encode(upload.key)),
        tag('UploadId', uploadId),
        owner('Initiator'),
        owner(),
        tag('StorageClass', 'STANDARD'),
        tag('Initiated', isoTime(upload.startedAt)),
      ),
    ),
    page.commonPrefixes.map((group) => tag('CommonPrefixes', tag('Prefix', encode(group)))),
  );
  sendXml(request.response, document);
}

export async function listParts(context: S3Context, request: SignedRequest): Promise<void> {
  const upload = findUpload(context, request);
  const encode = keyEncoder(request);
  const limit = queryInteger(request, 'max-parts', PAGE_LIMIT, PAGE_LIMIT);
  const marker = queryInteger(request, 'part-number-marker', 0, Number.MAX_SAFE_INTEGER);
  const following = [...upload.parts].filter(([number]) => number > marker).sort(([a], [b]) => a - b);
  const page = following.slice(0, limit);
  const truncated = following.length > page.length && page.length > 0;
  const document = xmlDocument(
    'ListPartsResult',
    tag('Bucket', request.bucket),
    tag('Key', encode(request.key)),
    tag('UploadId', request.query.get('uploadId')),
    owner('Initiator'),
    owner(),
    tag('StorageClass', 'STANDARD'),
    tag('PartNumberMarker', marker),
    truncated ? tag('NextPartNumberMarker', page.at(-1)![0]) : undefined,
    tag('MaxParts', limit),
    tag('IsTruncated', truncated),
    page.map(([number, { etag, blob, uploadedAt }]) =>
      tag(
        'Part',
        tag('PartNumber', number),
        tag('LastModified', isoTime(uploadedAt)),
        tag('ETag', `"${etag}"`),
        tag('Size', blob.sizeBytes),
      ),
    ),
  );
  sendXml(request.response, document);
}
