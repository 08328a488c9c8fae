/**
 * infra/proxy/s3-bypass.caddy in a real Caddy before a real MinIO: what MinIO lets in by an access key
 * alone, or by headers that nobody signed, does not come through; what clients do does.
 */
import { execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import type { Client } from 'minio';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { freePort } from '../../infra/embedded/ports.ts';
import { type Forgery, forgeries, stretchedAddresses } from '../s3/bypass.ts';
import { type Endpoint, minioClient, rawRequest, readAll } from '../s3/fixture.ts';
import { postFields } from '../s3/sign.ts';
import { type RunningServer, startMinio } from './objects-servers.ts';
import { allHere, pathOf } from './parts.ts';

const run = promisify(execFile);
const SNIPPET = join(import.meta.dirname, '../../infra/proxy/s3-bypass.caddy');
const isHere = allHere('The proxy before a real MinIO', 'minio', 'caddy');

/** What is let in by MinIO's last published source; a successor may refuse some or all of it. */
const holes = [
  /^a credential in the query only/,
  /^the same as a part of an upload/,
  /^an archive to be unpacked, with an invented signature/,
  /^an address to upload to, with another object as the source/,
];

async function startCaddy(
  folder: string,
  behind: Endpoint,
): Promise<{ front: Endpoint; stop(): Promise<void> }> {
  const port = await freePort();
  const file = join(folder, 'Caddyfile');
  await writeFile(
    file,
    `{
	admin off
	auto_https off
}
import ${SNIPPET}
http://127.0.0.1:${port} {
	import refuse_s3_bypass
	reverse_proxy ${behind.host}:${behind.port}
}
`,
  );
  const env = { PATH: process.env.PATH, HOME: folder, XDG_DATA_HOME: folder, XDG_CONFIG_HOME: folder };
  const args = ['run', '--config', file, '--adapter', 'caddyfile'];
  const child = spawn(pathOf('caddy'), args, { env, stdio: ['ignore', 'ignore', 'pipe'] });
  let printed = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    printed += text;
  });
  const front = { ...behind, port, url: `http://127.0.0.1:${port}` };
  while ((await fetch(front.url).catch(() => null)) === null) {
    if (child.exitCode !== null) throw new Error(`caddy ended:\n${printed}`);
    await sleep(50);
  }
  return {
    front,
    async stop() {
      const gone = once(child, 'exit');
      child.kill('SIGTERM');
      await gone;
    },
  };
}

describe.skipIf(!isHere)('the proxy before MinIO', () => {
  let folder: string;
  let minio: RunningServer;
  let caddy: Awaited<ReturnType<typeof startCaddy>>;
  let front: Endpoint;
  let client: Client;
  const large = randomBytes(12 << 20);

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'aima-bypass-'));
    minio = await startMinio();
    caddy = await startCaddy(folder, minio);
    front = caddy.front;
    client = minioClient(front, front, 5 << 20);
    await client.makeBucket('media');
    await client.putObject('media', 'private', 'somebody else’s');
  });
  afterAll(async () => {
    await caddy?.stop();
    await minio?.close();
    await rm(folder, { recursive: true, force: true });
  });

  const read = async (key: string) => readAll(await client.getObject('media', key));
  const exists = (key: string) =>
    client.statObject('media', key).then(
      () => true,
      () => false,
    );

  /** All of them, made for one address, with an upload in parts under way. */
  async function attempts(server: Endpoint): Promise<Forgery[]> {
    const upload = { key: 'parts', uploadId: await client.initiateNewMultipartUpload('media', 'parts', {}) };
    const host = `${server.host}:${server.port}`;
    return [
      ...forgeries(server, { host, bucket: 'media', upload }),
      ...stretchedAddresses(server, { host, bucket: 'media', from: 'private' }),
    ];
  }

  it('refuses whoever knows an access key only, and headers that were not signed', async () => {
    for (const { name, method, target, headers, body, key } of await attempts(front)) {
      const answer = await rawRequest(front, method, target, headers, body);
      expect(answer.status, name).toBe(403);
      expect(answer.headers.server, `${name}: refused by MinIO, not by the proxy`).toBe('Caddy');
      expect(await exists(key), name).toBe(false);
    }
  });

  it('is needed: what MinIO lets in without it', async () => {
    const letIn: string[] = [];
    for (const { name, method, target, headers, body, key } of await attempts(minio)) {
      const { status } = await rawRequest(minio, method, target, headers, body);
      const isPart = name.startsWith('the same as a part');
      if (status === 200 && (isPart || (await exists(key)))) letIn.push(name);
      console.log(`MinIO without the proxy: ${letIn.includes(name) ? 'lets in' : 'refuses'} ${name}`);
    }
    expect(letIn.filter((name) => !holes.some((hole) => hole.test(name)))).toEqual([]);
  });

  it('takes shapes that were bent a little for the same', async () => {
    const [first] = forgeries(front, { host: `${front.host}:${front.port}`, bucket: 'media' });
    const { method, headers, body, target } = first!;
    const value = headers['x-amz-content-sha256']!;
    const { 'x-amz-content-sha256': _, ...without } = headers;
    const bent: [string, Record<string, string>][] = [
      [target, { ...without, 'X-AMZ-CONTENT-SHA256': value }],
      [target, { ...without, 'x-amz-content-sha256': ` ${value} ` }],
      [`${target}&X-Amz-Content-Sha256=${value}`, without],
      [`${target}&X-Amz-Content-Sha256=${value.replace('S', '%53')}`, without],
      [`//media/bypass-query${target.slice(target.indexOf('?'))}`, headers],
    ];
    for (const [address, sent] of bent) {
      expect((await rawRequest(front, method, address, sent, body)).status).toBe(403);
    }
  });

  it('lets presigned addresses through', async () => {
    const address = await client.presignedPutObject('media', 'presigned', 60);
    expect((await fetch(address, { method: 'PUT', body: 'by address' })).status).toBe(200);
    expect(await (await fetch(await client.presignedGetObject('media', 'presigned', 60))).text()).toBe(
      'by address',
    );
  });

  it('lets parts, copies and forms of minio-js through', async () => {
    await client.putObject('media', 'in parts', large);
    await client.copyObject('media', 'copied', '/media/in parts');
    expect((await read('copied')).equals(large)).toBe(true);
    const uploadId = await client.initiateNewMultipartUpload('media', 'by address', {});
    const query = { uploadId, partNumber: '1' };
    const part = await fetch(await client.presignedUrl('PUT', 'media', 'by address', 60, query), {
      method: 'PUT',
      body: 'a part',
    });
    const etag = part.headers.get('etag')!.replaceAll('"', '');
    await client.completeMultipartUpload('media', 'by address', uploadId, [{ part: 1, etag }]);
    expect((await read('by address')).toString()).toBe('a part');
    const form = new FormData();
    const fields = { key: 'form', ...postFields(front, [{ bucket: 'media' }, { key: 'form' }]) };
    for (const [name, text] of Object.entries(fields)) form.append(name, text);
    form.append('file', new Blob(['by form']));
    expect((await fetch(`${front.url}/media`, { method: 'POST', body: form })).status).toBe(204);
  });

  it("lets AWS's SDK through, told to sign what it sends", async () => {
    const aws = new S3Client({
      endpoint: front.url,
      region: front.region,
      forcePathStyle: true,
      requestChecksumCalculation: 'WHEN_REQUIRED',
      credentials: { accessKeyId: front.accessKey, secretAccessKey: front.secretKey },
    });
    await aws.send(new PutObjectCommand({ Bucket: 'media', Key: 'sdk', Body: 'by sdk' }));
    expect((await read('sdk')).toString()).toBe('by sdk');
  });

  it.skipIf(!allHere('The proxy with aws', 'aws'))('lets aws through', { timeout: 120_000 }, async () => {
    await writeFile(join(folder, 'large.bin'), large);
    const { PATH, PYENV_ROOT } = process.env;
    const env = {
      ...{ PATH, PYENV_ROOT, HOME: folder },
      AWS_ACCESS_KEY_ID: front.accessKey,
      AWS_SECRET_ACCESS_KEY: front.secretKey,
      AWS_DEFAULT_REGION: front.region,
      AWS_REQUEST_CHECKSUM_CALCULATION: 'when_required',
    };
    const aws = async (...args: string[]) =>
      (await run(pathOf('aws'), ['--endpoint-url', front.url, 's3', ...args], { cwd: folder, env })).stdout;
    await aws('cp', 'large.bin', 's3://media/aws/large.bin');
    await aws('cp', 's3://media/aws/large.bin', 's3://media/aws/copy.bin');
    await aws('cp', 's3://media/aws/copy.bin', 'again.bin');
    expect((await readFile(join(folder, 'again.bin'))).equals(large)).toBe(true);
    const address = (await aws('presign', 's3://media/presigned')).trim();
    expect((await fetch(address)).status).toBe(200);
  });
});
