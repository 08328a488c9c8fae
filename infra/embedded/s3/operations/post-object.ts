import type { Readable } from 'node:stream';
import busboy from 'busboy';
import { mayUse } from '../auth/access.ts';
import { readCredential } from '../auth/authenticate.ts';
import { checkPolicy } from '../auth/post-policy.ts';
import { encodeUri, policySignature, sameSignature, signingKey } from '../auth/signature.ts';
import { sendEmpty, sendXml } from '../protocol/answer.ts';
import { MAXIMUM_BODY_BYTES, storeBlob } from '../protocol/body.ts';
import { BodyDigest } from '../protocol/checksums.ts';
import { S3Error } from '../protocol/errors.ts';
import { readDescription } from '../protocol/metadata.ts';
import { checkKey, type S3Request } from '../protocol/request.ts';
import { tag, xmlDocument } from '../protocol/xml.ts';
import type { S3Context } from './context.ts';
import { putObjectBytes } from './objects.ts';

/** Uploads by an HTML form with a signed policy (POST Object). Fields come first, the file last. */

interface Form {
  /** Lower-case names. Fields behind the file are not here, so they can change nothing. */
  fields: Map<string, string>;
  file: Readable;
  filename: string;
}

const MAXIMUM_FIELD_BYTES = 64 << 10;
const MAXIMUM_FIELDS = 100;

export function isForm(request: S3Request): boolean {
  const contentType = request.headers['content-type'] ?? '';
  return (
    request.method === 'POST' &&
    request.key === '' &&
    contentType.toLowerCase().startsWith('multipart/form-data')
  );
}

/** Reads up to the file. @throws {S3Error} MalformedPOSTRequest, InvalidArgument */
function readForm(request: S3Request): Promise<Form> {
  const { incoming } = request;
  return new Promise((resolve, reject) => {
    const fail = (message: string): void => reject(new S3Error('MalformedPOSTRequest', message));
    const fields = new Map<string, string>();
    let parser: busboy.Busboy;
    try {
      parser = busboy({
        headers: incoming.headers,
        limits: { fieldSize: MAXIMUM_FIELD_BYTES, fields: MAXIMUM_FIELDS, files: 1 },
      });
    } catch {
      fail('The form has no valid boundary.');
      return;
    }
    parser.on('field', (rawName, value, info) => {
      const name = rawName.toLowerCase();
      // A policy checked against the first value must not be used with the second.
      if (fields.has(name)) fail(`The field ${name} occurs twice.`);
      if (info.nameTruncated || info.valueTruncated) fail('A field is too long.');
      fields.set(name, value);
    });
    parser.on('file', (name, file, { filename }) => {
      // Errors reach whoever reads the file; nobody does when the form was refused before.
      file.on('error', () => {});
      if (name.toLowerCase() !== 'file') fail('The file must be in the field "file".');
      resolve({ fields: new Map(fields), file, filename: filename ?? '' });
    });
    parser.on('fieldsLimit', () => fail('The form has too many fields.'));
    parser.on('error', () => fail('The form is cut off or not well formed.'));
    parser.on('close', () => fail('The form has no file.'));
    incoming.once('close', () => {
      if (!incoming.complete) parser.destroy(new Error('the client went away'));
    });
    incoming.pipe(parser);
  });
}

/** Passes a form's file on; one cut off is an error of the client's, and the request stays open for the answer. */
async function* fileBytes(file: Readable): AsyncGenerator<Buffer> {
  try {
    yield* file.iterator({ destroyOnReturn: false });
  } catch {
    throw new S3Error('IncompleteBody');
  }
}

export async function postObject(context: S3Context, request: S3Request): Promise<void> {
  const { bucket } = request;
  context.store.bucket(bucket);
  if (request.headers.expect !== undefined) request.response.writeContinue();
  const { fields, file, filename } = await readForm(request);
  try {
    const field = (name: string): string => fields.get(name) ?? '';
    const policy = field('policy');
    if (field('x-amz-algorithm') !== 'AWS4-HMAC-SHA256' || policy === '') throw new S3Error('AccessDenied');
    const { credential, scope } = readCredential(context.authenticator, field('x-amz-credential'));
    const expected = policySignature(signingKey(credential.secretKey, scope), policy);
    if (!sameSignature(expected, field('x-amz-signature'))) throw new S3Error('SignatureDoesNotMatch');
    const key = field('key').replace(/\$\{filename\}/g, () => filename);
    fields.set('key', key).set('bucket', bucket);
    const limits = checkPolicy(policy, fields, context.now(), MAXIMUM_BODY_BYTES);
    checkKey(key);
    if (!mayUse(credential, 'write', bucket, key)) throw new S3Error('AccessDenied');

    const values = Object.fromEntries(fields);
    const description = readDescription(values);
    const announced = Number(request.headers['content-length'] ?? 0);
    await context.store.ensureRoom(Number.isFinite(announced) ? announced : 0);
    const digest = new BodyDigest(values);
    const received = await storeBlob(context.store, fileBytes(file), limits.maximum, digest, (sizeBytes) => {
      if (sizeBytes < limits.minimum) throw new S3Error('EntityTooSmall');
      return new Map();
    });
    const sender = { ...request, key, accessKey: credential.accessKey };
    const { etag } = await putObjectBytes(
      context,
      sender,
      's3:ObjectCreated:Post',
      received,
      description,
      () => {},
    );
    answer(request, fields, key, etag);
  } catch (error) {
    request.incoming.unpipe();
    throw error;
  }
}

/** 204 unless the form, under its policy, asks for another answer. */
function answer(request: S3Request, fields: ReadonlyMap<string, string>, key: string, etag: string): void {
  const { bucket, response } = request;
  const redirect = fields.get('success_action_redirect');
  const location = `http://${request.headers.host}/${bucket}/${key.split('/').map(encodeUri).join('/')}`;
  if (redirect && /^https?:\/\//i.test(redirect) && URL.canParse(redirect)) {
    const target = new URL(redirect);
    for (const [name, value] of Object.entries({ bucket, key, etag: `"${etag}"` })) {
      target.searchParams.append(name, value);
    }
    sendEmpty(response, 303, { location: target.href });
  } else if (fields.get('success_action_status') === '201') {
    const ids = [tag('Location', location), tag('Bucket', bucket), tag('Key', key), tag('ETag', `"${etag}"`)];
    sendXml(response, xmlDocument('PostResponse', ids), 201);
  } else {
    const status = fields.get('success_action_status') === '200' ? 200 : 204;
    sendEmpty(response, status, { etag: `"${etag}"`, location });
  }
}
