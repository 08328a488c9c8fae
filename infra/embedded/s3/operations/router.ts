import { maySee, mayUse, type Right } from '../auth/access.ts';
import { authenticate } from '../auth/authenticate.ts';
import { S3Error } from '../protocol/errors.ts';
import { checkKey, type S3Request, type SignedRequest } from '../protocol/request.ts';
import * as buckets from './buckets.ts';
import type { S3Context } from './context.ts';
import { putOrCopyObject } from './copy.ts';
import * as lists from './lists.ts';
import * as multipart from './multipart.ts';
import * as objects from './objects.ts';
import { isForm, postObject } from './post-object.ts';

/** The table of operations: what each request means, what it needs, and who carries it out. */

type Handler = (context: S3Context, request: SignedRequest) => Promise<void>;

/**
 * What the sender needs: a right on the object; `list` on the prefix asked for; to see the bucket; `each` is checked
 * by the handler for every key; `root` is for unlimited keys only.
 */
type Need = Right | 'see' | 'each' | 'root';

interface Operation {
  need: Need;
  handler: Handler;
}

const operation = (need: Need, handler: Handler): Operation => ({ need, handler });

/** `<method> <service|bucket|object> [subresource]`. What is not here is not implemented. */
const OPERATIONS: Record<string, Operation> = {
  'GET service': operation('each', lists.listBuckets),

  'PUT bucket': operation('root', buckets.createBucket),
  'HEAD bucket': operation('see', buckets.headBucket),
  'DELETE bucket': operation('root', buckets.deleteBucket),
  'GET bucket': operation('list', lists.listObjects),
  'GET bucket uploads': operation('list', lists.listUploads),
  'POST bucket delete': operation('each', buckets.deleteObjects),
  'GET bucket location': operation('see', buckets.getLocation),
  'GET bucket versioning': operation('see', buckets.getVersioning),
  'GET bucket policy': operation('root', buckets.absent('NoSuchBucketPolicy')),
  'GET bucket cors': operation('root', buckets.absent('NoSuchCORSConfiguration')),
  'GET bucket tagging': operation('root', buckets.absent('NoSuchTagSet')),
  'GET bucket notification': operation('root', buckets.getNotifications),
  'PUT bucket notification': operation('root', buckets.putNotifications),
  'GET bucket lifecycle': operation('root', buckets.getLifecycle),
  'PUT bucket lifecycle': operation('root', buckets.putLifecycle),
  'DELETE bucket lifecycle': operation('root', buckets.deleteLifecycle),

  'GET object': operation('read', objects.getObject),
  'HEAD object': operation('read', objects.getObject),
  'PUT object': operation('write', putOrCopyObject),
  'DELETE object': operation('delete', objects.deleteObject),
  'GET object tagging': operation('read', objects.getTagging),
  'PUT object tagging': operation('write', objects.putTagging),
  'DELETE object tagging': operation('write', objects.deleteTagging),
  'POST object uploads': operation('write', multipart.createUpload),
  'PUT object uploadId': operation('write', multipart.uploadPart),
  'POST object uploadId': operation('write', multipart.completeUpload),
  'DELETE object uploadId': operation('write', multipart.abortUpload),
  'GET object uploadId': operation('write', lists.listParts),
};

/**
 * Query parameters that make another operation of a request. All that S3 knows are here, not only those served:
 * `PUT key?acl` must answer "not implemented", not overwrite the object with the ACL.
 */
const SUBRESOURCES = new Set(
  (
    'accelerate acl analytics attributes cors delete encryption events intelligent-tiering inventory legal-hold ' +
    'lifecycle location logging metrics notification object-lock ownershipControls partNumber policy policyStatus ' +
    'publicAccessBlock rename replication requestPayment restore retention select session tagging torrent uploadId ' +
    'uploads versioning versions website'
  ).split(' '),
);

function operationOf({ method, bucket, key, query }: S3Request): Operation {
  const level = key !== '' ? 'object' : bucket !== '' ? 'bucket' : 'service';
  const subresources = [...query.keys()].filter((name) => SUBRESOURCES.has(name));
  // A part number belongs to an upload; on reading it would ask for a single part, which is not implemented.
  const [subresource] = subresources.includes('uploadId') ? ['uploadId'] : subresources;
  const found = OPERATIONS[[method, level, subresource].filter(Boolean).join(' ')];
  if (!found)
    throw new S3Error(/^(GET|HEAD|PUT|POST|DELETE)$/.test(method) ? 'NotImplemented' : 'MethodNotAllowed');
  return found;
}

function isAllowed(need: Need, { credential, bucket, key, query }: SignedRequest): boolean {
  switch (need) {
    case 'each':
      return bucket === '' || maySee(credential, bucket);
    case 'see':
      return maySee(credential, bucket);
    case 'root':
      return !credential.scope;
    case 'list':
      return mayUse(credential, 'list', bucket, query.get('prefix') ?? '');
    default:
      return mayUse(credential, need, bucket, key);
  }
}

/** Authenticates a request, checks what its sender may do, and carries it out. @throws {S3Error} */
export async function carryOut(context: S3Context, request: S3Request): Promise<void> {
  if (isForm(request) && request.bucket !== '') return postObject(context, request); // signed in its body
  const { credential, payload } = authenticate(context.authenticator, request);
  const signed: SignedRequest = { ...request, credential, payload };
  const { need, handler } = operationOf(request);
  if (!isAllowed(need, signed)) throw new S3Error('AccessDenied');
  if (request.key !== '') checkKey(request.key);
  await handler(context, signed);
}
