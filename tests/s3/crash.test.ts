import { createHash, randomBytes } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterEach, describe, expect, it } from 'vitest';
import { INBOX, type ServerProcess, startProcess } from './child.ts';
import { minioClient, rawRequest, readAll, temporaryFolder } from './fixture.ts';
import { signedHeaders } from './sign.ts';

/** The server as a process: killed in the middle of its work, ended politely, and measured. */

const cleanups: Array<() => Promise<void>> = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function folder(): Promise<string> {
  const { folder: path, remove } = await temporaryFolder();
  cleanups.push(remove);
  return path;
}

async function start(data: string): Promise<ServerProcess> {
  const server = await startProcess(data);
  cleanups.push(server.kill);
  return server;
}

const md5 = (data: Buffer): string => createHash('md5').update(data).digest('hex');

describe('kill -9', () => {
  it('loses no acknowledged upload, deletion or part, at whatever moment it comes', async () => {
    const data = await folder();
    const expected = new Map<string, string | null>();
    let written = 0;
    for (let round = 0; round < 4; round += 1) {
      const server = await start(data);
      const client = minioClient(server);
      if (round === 0) await client.makeBucket('media');
      let killed = false;
      const writer = async (lane: number): Promise<void> => {
        for (let index = 0; !killed; index += 1) {
          const key = `lane-${lane}/${index % 7}`;
          const body = randomBytes(index % 5 === 0 ? 300_000 : 2000);
          try {
            // Until the answer comes either state may be found: the new object, the old one, or none.
            const before = expected.get(key);
            expected.delete(key);
            if (index % 4 === 3) {
              await client.removeObject('media', key);
              expected.set(key, null);
            } else {
              await client.putObject('media', key, body);
              expected.set(key, md5(body));
            }
            if (before !== expected.get(key)) written += 1;
          } catch (error) {
            if (!killed) throw error;
          }
        }
      };
      const writers = [0, 1, 2, 3].map(writer);
      const goal = written + 40 + round * 17;
      while (written < goal) await new Promise((resolve) => setTimeout(resolve, 5));
      killed = true;
      await server.kill();
      await Promise.all(writers);

      const next = await start(data);
      const reader = minioClient(next);
      for (const [key, sum] of expected) {
        if (sum === null) await expect(reader.statObject('media', key), key).rejects.toThrow();
        else expect(md5(await readAll(await reader.getObject('media', key))), key).toBe(sum);
      }
      // What was being written is gone: every file left belongs to an object.
      const listed: string[] = [];
      for await (const entry of reader.listObjectsV2('media', '', true)) listed.push(entry.name);
      expect(await readdir(join(data, 'objects', 'blobs'))).toHaveLength(listed.length);
      await next.kill();
    }
  });

  it('keeps the parts of an unfinished upload', async () => {
    const data = await folder();
    const first = await start(data);
    const client = minioClient(first);
    await client.makeBucket('media');
    const uploadId = await client.initiateNewMultipartUpload('media', 'film', {});
    const part = async (server: ServerProcess, partNumber: number, body: Buffer): Promise<string> => {
      const query = { partNumber: String(partNumber), uploadId };
      const request = { method: 'PUT', path: '/media/film', query, host: `127.0.0.1:${server.port}` };
      const { headers, target } = signedHeaders(server, request, md5sha(body));
      return String((await rawRequest(server, 'PUT', target, headers, body)).headers.etag);
    };
    const md5sha = (body: Buffer): string => createHash('sha256').update(body).digest('hex');
    const one = randomBytes(5 << 20);
    const etags = [await part(first, 1, one)];
    await first.kill();
    const second = await start(data);
    etags.push(await part(second, 2, Buffer.from('end')));
    const parts = etags.map((etag, index) => ({ part: index + 1, etag: etag.replaceAll('"', '') }));
    await minioClient(second).completeMultipartUpload('media', 'film', uploadId, parts);
    await second.kill();
    const third = await start(data);
    const film = await readAll(await minioClient(third).getObject('media', 'film'));
    expect(film.equals(Buffer.concat([one, Buffer.from('end')]))).toBe(true);
  });
});

describe('the process', () => {
  it('says where it is ready, ends on SIGTERM, and goes on where it was', async () => {
    const data = await folder();
    const first = await start(data);
    expect(first.output()).toContain(`objects ready on http://127.0.0.1:${first.port}`);
    await minioClient(first).makeBucket('media');
    await minioClient(first, INBOX).putObject('media', 'inbox/a', 'x');
    await first.close();
    expect(first.child.exitCode).toBe(0);
    const second = await start(data);
    expect((await minioClient(second).statObject('media', 'inbox/a')).size).toBe(1);
  });

  it('refuses a folder that another process has open', async () => {
    const data = await folder();
    await start(data);
    await expect(startProcess(data)).rejects.toThrow(/another process has .* open/);
  });

  it.skipIf(process.platform !== 'linux')('stays below 200 MB while 300 MB pass', async () => {
    const server = await start(await folder());
    const client = minioClient(server);
    await client.makeBucket('media');
    const block = randomBytes(1 << 20);
    const sizeBytes = 300 << 20;
    const blocks = function* (): Generator<Buffer> {
      for (let index = 0; index < 300; index += 1) yield block;
    };
    const address = await client.presignedPutObject('media', 'large', 600);
    const headers = { 'content-length': String(sizeBytes) };
    const sent = await fetch(address, {
      method: 'PUT',
      headers,
      body: Readable.toWeb(Readable.from(blocks())) as ReadableStream,
      duplex: 'half',
    } as RequestInit);
    expect(sent.status).toBe(200);
    await client.putObject('media', 'parts', Readable.from(blocks()));
    for (const key of ['large', 'parts']) {
      let received = 0;
      for await (const piece of await client.getObject('media', key)) received += piece.length;
      expect(received).toBe(sizeBytes);
    }
    expect(await server.peakMemoryMib()).toBeLessThan(200);
  });
});
