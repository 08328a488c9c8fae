import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { authenticate } from '../../infra/embedded/s3/auth/authenticate.ts';
import { chunkSignature, signingKey, trailerSignature } from '../../infra/embedded/s3/auth/signature.ts';
import type { S3Request } from '../../infra/embedded/s3/protocol/request.ts';

/** The worked examples of AWS's documentation (Signature Version 4 for S3), with its published example key. */

const credential = {
  accessKey: 'AKIAIOSFODNN7EXAMPLE',
  secretKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
};
const scope = { date: '20130524', region: 'us-east-1' };
const authenticator = {
  credentials: new Map([[credential.accessKey, credential]]),
  region: scope.region,
  now: () => Date.UTC(2013, 4, 24),
};
const HOST = 'examplebucket.s3.amazonaws.com';
const EMPTY = createHash('sha256').digest('hex');

interface Example {
  name: string;
  method: string;
  path: string;
  query: Array<[string, string]>;
  headers: Record<string, string>;
  signature: string;
}

const examples: Example[] = [
  {
    name: 'GET Object',
    method: 'GET',
    path: '/test.txt',
    query: [],
    headers: { range: 'bytes=0-9', 'x-amz-content-sha256': EMPTY },
    signature: 'f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41',
  },
  {
    name: 'PUT Object',
    method: 'PUT',
    path: '/test$file.text',
    query: [],
    headers: {
      date: 'Fri, 24 May 2013 00:00:00 GMT',
      'x-amz-content-sha256': '44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072',
      'x-amz-storage-class': 'REDUCED_REDUNDANCY',
    },
    signature: '98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd',
  },
  {
    name: 'GET Bucket Lifecycle',
    method: 'GET',
    path: '/',
    query: [['lifecycle', '']],
    headers: { 'x-amz-content-sha256': EMPTY },
    signature: 'fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543',
  },
  {
    name: 'List Objects',
    method: 'GET',
    path: '/',
    query: [
      ['max-keys', '2'],
      ['prefix', 'J'],
    ],
    headers: { 'x-amz-content-sha256': EMPTY },
    signature: '34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7',
  },
];

/** Only what authentication reads of a request. */
function requestOf({ method, path, query, headers }: Omit<Example, 'name' | 'signature'>): S3Request {
  const parts: Partial<S3Request> = { method, path, queryPairs: query, query: new Map(query), headers };
  return parts as S3Request;
}

function signed({ signature, ...example }: Example, given = signature): S3Request {
  const headers: Record<string, string> = {
    ...example.headers,
    host: HOST,
    'x-amz-date': '20130524T000000Z',
  };
  const names = Object.keys(headers).sort().join(';');
  const credentialText = `${credential.accessKey}/20130524/us-east-1/s3/aws4_request`;
  headers.authorization = `AWS4-HMAC-SHA256 Credential=${credentialText},SignedHeaders=${names},Signature=${given}`;
  return requestOf({ ...example, headers });
}

describe('the examples of AWS', () => {
  it.each(examples)('$name', (example) => {
    expect(authenticate(authenticator, signed(example)).credential).toBe(credential);
    const other = example.signature.replace(/^./, (digit) => (digit === '0' ? '1' : '0'));
    expect(() => authenticate(authenticator, signed(example, other))).toThrow('signature');
  });

  it('presigned GET', () => {
    const query: Array<[string, string]> = [
      ['X-Amz-Algorithm', 'AWS4-HMAC-SHA256'],
      ['X-Amz-Credential', `${credential.accessKey}/20130524/us-east-1/s3/aws4_request`],
      ['X-Amz-Date', '20130524T000000Z'],
      ['X-Amz-Expires', '86400'],
      ['X-Amz-SignedHeaders', 'host'],
      ['X-Amz-Signature', 'aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404'],
    ];
    const request = requestOf({ method: 'GET', path: '/test.txt', query, headers: { host: HOST } });
    expect(authenticate(authenticator, request).credential).toBe(credential);
  });

  const context = { key: signingKey(credential.secretKey, scope), scope, timestamp: '20130524T000000Z' };
  const chunks = [Buffer.alloc(65_536, 'a'), Buffer.alloc(1024, 'a'), Buffer.alloc(0)];
  const chain = (seed: string): string[] => {
    const signatures: string[] = [];
    for (const chunk of chunks) {
      const digest = createHash('sha256').update(chunk).digest('hex');
      signatures.push(chunkSignature(context, signatures.at(-1) ?? seed, digest));
    }
    return signatures;
  };

  it('chunked upload', () => {
    expect(chain('4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9')).toEqual([
      'ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648',
      '0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497',
      'b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9',
    ]);
  });

  it('chunked upload with a trailer', () => {
    const signatures = chain('106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e');
    expect(signatures).toEqual([
      'b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2',
      '1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7',
      '2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992',
    ]);
    const trailers = new Map([['x-amz-checksum-crc32c', 'sOO8/Q==']]);
    expect(trailerSignature(context, signatures.at(-1)!, trailers)).toBe(
      'd81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435',
    );
  });
});
