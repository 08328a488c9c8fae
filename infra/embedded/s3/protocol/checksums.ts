import { createHash, type Hash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { Crc32c, Crc64Nvme } from './crc.ts';
import { S3Error } from './errors.ts';

/**
 * What a client may send to have its body checked: `Content-MD5`, the signed `x-amz-content-sha256`, and
 * `x-amz-checksum-<algorithm>` as a header or after the body as a trailer.
 * https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html
 */

export interface Checksum {
  algorithm: ChecksumAlgorithm;
  /** Base64. */
  value: string;
}

interface Digester {
  update: (data: Buffer) => void;
  digest: () => Buffer;
}

class Crc32 implements Digester {
  #state = 0;

  update(data: Buffer): void {
    this.#state = crc32(data, this.#state);
  }

  digest(): Buffer {
    const result = Buffer.alloc(4);
    result.writeUInt32BE(this.#state);
    return result;
  }
}

const hash = (name: string): Digester => {
  const digester: Hash = createHash(name);
  return { update: (data) => void digester.update(data), digest: () => digester.digest() };
};

const ALGORITHMS = {
  crc32: () => new Crc32(),
  crc32c: () => new Crc32c(),
  crc64nvme: () => new Crc64Nvme(),
  sha1: () => hash('sha1'),
  sha256: () => hash('sha256'),
} satisfies Record<string, () => Digester>;

export type ChecksumAlgorithm = keyof typeof ALGORITHMS;

const isAlgorithm = (name: string): name is ChecksumAlgorithm => Object.hasOwn(ALGORITHMS, name);

const PREFIX = 'x-amz-checksum-';
/** Headers with that prefix that hold no checksum. */
const NOT_VALUES = new Set(['x-amz-checksum-mode', 'x-amz-checksum-algorithm', 'x-amz-checksum-type']);

/** The algorithm that a header or trailer name stands for. @throws {S3Error} NotImplemented for one we cannot check */
function algorithmOf(name: string): ChecksumAlgorithm {
  const algorithm = name.slice(PREFIX.length);
  if (!isAlgorithm(algorithm))
    throw new S3Error('NotImplemented', `Checksum ${algorithm} is not implemented.`);
  return algorithm;
}

type Headers = Readonly<Record<string, string | undefined>>;

const checksumNames = (names: string[]): string[] =>
  names.filter((name) => name.startsWith(PREFIX) && !NOT_VALUES.has(name));

/** Digests a body while it passes, then compares with what the client said of it. */
export class BodyDigest {
  readonly #headers: Headers;
  readonly #signedSha256: string | undefined;
  readonly #trailerNames: string[];
  readonly #md5 = createHash('md5');
  readonly #digesters = new Map<ChecksumAlgorithm, Digester>();

  /**
   * @param headers lower-case names
   * @param signedSha256 the payload hash of the signature, hexadecimal, where there is one
   * @throws {S3Error} NotImplemented for an unknown checksum algorithm
   */
  constructor(headers: Headers, signedSha256?: string) {
    this.#headers = headers;
    this.#signedSha256 = signedSha256;
    this.#trailerNames = checksumNames((headers['x-amz-trailer'] ?? '').toLowerCase().split(/\s*,\s*/));
    for (const name of [...checksumNames(Object.keys(headers)), ...this.#trailerNames])
      this.#add(algorithmOf(name));
    if (signedSha256 !== undefined) this.#add('sha256');
  }

  #add(algorithm: ChecksumAlgorithm): void {
    if (!this.#digesters.has(algorithm)) this.#digesters.set(algorithm, ALGORITHMS[algorithm]());
  }

  update(data: Buffer): void {
    this.#md5.update(data);
    for (const digester of this.#digesters.values()) digester.update(data);
  }

  /**
   * @param trailers the trailers that followed the body
   * @returns the MD5 (hexadecimal: S3's ETag) and the checksum to keep, if one was sent
   * @throws {S3Error} BadDigest, XAmzContentSHA256Mismatch, or InvalidRequest for a trailer announced and not sent
   */
  finish(trailers: ReadonlyMap<string, string>): { md5: string; checksum?: Checksum } {
    const md5 = this.#md5.digest();
    const expectedMd5 = this.#headers['content-md5'];
    if (expectedMd5 !== undefined && expectedMd5 !== md5.toString('base64')) throw new S3Error('BadDigest');
    const values = new Map(
      [...this.#digesters].map(([algorithm, digester]) => [algorithm, digester.digest()]),
    );
    if (this.#signedSha256 !== undefined && values.get('sha256')?.toString('hex') !== this.#signedSha256) {
      throw new S3Error('XAmzContentSHA256Mismatch');
    }
    let checksum: Checksum | undefined;
    const names = [...checksumNames(Object.keys(this.#headers)), ...this.#trailerNames];
    for (const name of names) {
      const expected = this.#headers[name] ?? trailers.get(name);
      if (expected === undefined)
        throw new S3Error('InvalidRequest', `The trailer ${name} was announced, not sent.`);
      const algorithm = algorithmOf(name);
      const value = values.get(algorithm)!.toString('base64');
      if (value !== expected) throw new S3Error('BadDigest', `${name} does not match the body.`);
      checksum = { algorithm, value };
    }
    return { md5: md5.toString('hex'), ...(checksum && { checksum }) };
  }
}
