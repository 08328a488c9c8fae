import { readFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeAll, expect, test } from 'vitest';
import { decode } from '../../gpu-worker/media/decode.ts';
import { openHttp } from '../../gpu-worker/media/http.ts';
import { probeMedium } from '../../gpu-worker/media/probe.ts';
import type { MediaSource } from '../../gpu-worker/media/source.ts';
import { testMedia } from '../media/test-media.ts';

let film: Buffer;
let filmPath: string;
beforeAll(async () => {
  const media = await testMedia();
  filmPath = media.clipWebm;
  film = await readFile(filmPath);
}, 240_000);

let server: Server | undefined;
afterEach(() => {
  server?.closeAllConnections();
  server?.close();
});

type Answer = (request: IncomingMessage, response: ServerResponse, number: number) => void;

async function serve(answer: Answer): Promise<{ url: string; requests: string[] }> {
  const requests: string[] = [];
  server = createServer((request, response) => {
    requests.push(request.headers.range ?? '');
    answer(request, response, requests.length);
  });
  await new Promise<void>((listening) => server!.listen(0, '127.0.0.1', listening));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/film?X-Amz-Signature=1`,
    requests,
  };
}

/** Answers a range request as S3 does; only `cut` bytes of it where that is given. */
function answerRange(
  request: IncomingMessage,
  response: ServerResponse,
  { bytes = film, etag = '"1"', cut = null as number | null } = {},
): void {
  const [, first, last] = /bytes=(\d+)-(\d+)/.exec(request.headers.range ?? '')!.map(Number);
  if (first! >= bytes.length) {
    response.writeHead(416, { 'content-range': `bytes */${bytes.length}` }).end();
    return;
  }
  if (request.headers['if-match'] && request.headers['if-match'] !== etag) {
    response.writeHead(412).end();
    return;
  }
  const body = bytes.subarray(first, last! + 1);
  response.writeHead(206, {
    'content-range': `bytes ${first}-${first! + body.length - 1}/${bytes.length}`,
    'content-length': body.length,
    etag,
  });
  if (cut === null) response.end(body);
  else response.write(body.subarray(0, cut), () => response.destroy());
}

async function everything(source: MediaSource): Promise<{ times: number[]; samples: number; sum: number }> {
  const medium = await probeMedium(source);
  const result = { times: [] as number[], samples: 0, sum: 0 };
  const plan = { frames: [{ fps: 0, maxWidth: 160, fromMs: 0 }], pcm: { fromMs: 0 }, threads: 1 };
  for await (const item of decode(source, medium, plan)) {
    if (item.type === 'frame') {
      result.times.push(item.frame.tMs);
      result.sum += item.frame.data.reduce((sum, value) => sum + value, 0);
    } else if (item.type === 'pcm') result.samples += item.samples.length;
  }
  return result;
}

test('a film at an address gives what the file gives', async () => {
  const { url } = await serve((request, response) => answerRange(request, response));
  expect(await everything({ url })).toEqual(await everything({ path: filmPath }));
});

test('connections that break and servers that stumble do not matter', async () => {
  const { url, requests } = await serve((request, response, number) => {
    if (number % 3 === 1) answerRange(request, response, { cut: 100_000 });
    else if (number % 3 === 2) response.writeHead(503).end('busy');
    else answerRange(request, response);
  });
  expect(await everything({ url })).toEqual(await everything({ path: filmPath }));
  expect(requests.length).toBeGreaterThanOrEqual(6);
});

test('an address that expires is asked for anew', async () => {
  let valid = 0;
  const { url } = await serve((request, response) => {
    if (!request.url?.endsWith(`&try=${valid}`)) response.writeHead(403).end();
    else answerRange(request, response);
  });
  let asked = 0;
  const fresh = async () => `${url}&try=${valid + (asked++ === 0 ? 1 : 0)}`;
  const source = await openHttp(fresh, { retryDelaysMs: [1, 1] });
  expect(source.sizeBytes).toBe(film.length);
  valid = 7;
  expect(Buffer.from(await source.read(200_000, 64))).toEqual(film.subarray(200_000, 200_064));
  await source.close();
});

test('only what is needed is read, and the last bytes without the middle', async () => {
  const large = Buffer.alloc(30 * 2 ** 20, 7);
  large.write('the end', large.length - 7);
  const { url, requests } = await serve((request, response) =>
    answerRange(request, response, { bytes: large }),
  );
  const source = await openHttp(url);
  expect(source.sizeBytes).toBe(large.length);
  expect(Buffer.from(await source.read(large.length - 7, 100)).toString()).toBe('the end');
  expect(await source.read(large.length, 100)).toHaveLength(0);
  await source.close();
  expect(requests).toEqual(['bytes=0-1048575', `bytes=${29 * 2 ** 20}-${30 * 2 ** 20 - 1}`]);
});

test.each([
  [
    'nothing is there',
    (_: IncomingMessage, response: ServerResponse) => response.writeHead(404).end(),
    'media_unreachable',
  ],
  [
    'it is empty',
    (request: IncomingMessage, response: ServerResponse) =>
      answerRange(request, response, { bytes: Buffer.alloc(0) }),
    'broken_media',
  ],
  [
    'the server knows no ranges',
    (_: IncomingMessage, response: ServerResponse) => response.writeHead(200).end(film),
    'media_unreachable',
  ],
  [
    'it leads elsewhere',
    (_: IncomingMessage, response: ServerResponse) =>
      response.writeHead(302, { location: 'http://127.0.0.1:1/' }).end(),
    'media_unreachable',
  ],
] as const)('a MediaError when %s', async (_, answer, code) => {
  const { url } = await serve((request, response) => void answer(request, response));
  await expect(openHttp(url, { retryDelaysMs: [1] })).rejects.toMatchObject({ name: 'MediaError', code });
});

test('a server that stays away is given up, with a sentence that holds no address', async () => {
  const { url } = await serve((_, response) => response.writeHead(500).end());
  const failure = openHttp(url, { retryDelaysMs: [1, 1] });
  await expect(failure).rejects.toMatchObject({ code: 'media_unreachable' });
  await expect(failure).rejects.not.toThrow(/X-Amz/);
});

test('a server that goes away in the middle ends the decoding, not silently', async () => {
  const twice = Buffer.concat([film, Buffer.alloc(3 * 2 ** 20)]);
  const { url } = await serve((request, response, number) => {
    if (number > 1) response.writeHead(404).end();
    else answerRange(request, response, { bytes: twice });
  });
  const medium = await probeMedium({ path: filmPath });
  const run = async () => {
    const plan = { frames: [{ fps: 0, maxWidth: 16, fromMs: 0 }], pcm: null, threads: 1 };
    for await (const _ of decode({ url }, medium, plan));
  };
  await expect(run()).rejects.toMatchObject({ code: 'media_unreachable' });
});

test('another file at the address is noticed', async () => {
  const large = Buffer.alloc(3 * 2 ** 20);
  let etag = '"1"';
  const { url } = await serve((request, response) => answerRange(request, response, { bytes: large, etag }));
  const source = await openHttp(url);
  etag = '"2"';
  await expect(source.read(2 ** 21, 10)).rejects.toMatchObject({ code: 'media_changed' });
  await source.close();
});

test('a playlist does not make anything be opened', async () => {
  let opened = 0;
  const { url: bait } = await serve((_, response) => {
    opened++;
    response.writeHead(404).end();
  });
  const playlist = Buffer.from(`#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\n${bait}\n#EXT-X-ENDLIST\n`);
  const baitServer = server!;
  const { url } = await serve((request, response) => answerRange(request, response, { bytes: playlist }));
  await expect(probeMedium({ url })).rejects.toMatchObject({ code: 'unsupported_media' });
  expect(opened).toBe(0);
  baitServer.close();
});
