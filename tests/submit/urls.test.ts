import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type AddressRules, isPublic } from '../../functions/core/intake/addresses.ts';
import { fetchStep } from '../../functions/core/intake/fetch.ts';
import { send } from '../../functions/core/intake/request.ts';
import { openBucket } from '../../functions/core/storage/bucket.ts';
import { sweepUploads } from '../../functions/core/submit/sweep.ts';
import * as media from './media-files.ts';
import { type Intake, jobIn, startIntake } from './start-intake.ts';

let intake: Intake;
let site: Server;
let address: string;
let answer: (request: IncomingMessage, response: ServerResponse) => void;
const requests: IncomingMessage[] = [];

beforeAll(async () => {
  intake = await startIntake({
    AIMA_ALLOW_PRIVATE_ADDRESSES: '1',
    AIMA_MAX_MEDIUM_BYTES: String(60 * 2 ** 20),
  });
  site = createServer((request, response) => {
    requests.push(request);
    answer(request, response);
  });
  await new Promise<void>((resolve) => site.listen(0, '0.0.0.0', resolve));
  address = `http://127.0.0.1:${(site.address() as AddressInfo).port}`;
});
afterAll(async () => {
  await intake?.stop();
  site?.closeAllConnections();
  site?.close();
});
afterEach(() => {
  intake.losesEvents = false;
  requests.length = 0;
});

/** A server that knows ranges; with `pause` it sends slowly. */
function serve(file: Buffer, { pauseMs = 0, ranges = true, etag = '"1"' } = {}) {
  return async (request: IncomingMessage, response: ServerResponse) => {
    const from = ranges ? Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0) : 0;
    const isWanted = request.headers['if-range'] === undefined || request.headers['if-range'] === etag;
    const start = isWanted ? from : 0;
    response.writeHead(start > 0 ? 206 : 200, {
      ...{ 'content-length': file.length - start, etag },
      ...(ranges ? { 'accept-ranges': 'bytes' } : {}),
      ...(start > 0 ? { 'content-range': `bytes ${start}-${file.length - 1}/${file.length}` } : {}),
    });
    for (let at = start; at < file.length && !response.destroyed; at += 2 ** 20) {
      response.write(file.subarray(at, at + 2 ** 20));
      if (pauseMs > 0) await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
    response.end();
  };
}

const submitUrl = async (path: string, more: object = {}) =>
  (await intake.call('/', { url: address + path, ...more })).body.jobs[0].jobId as string;
const mediumOf = async (jobId: string) =>
  (
    await intake.core.sql<
      { objectKey: string; uploadId: string | null; looks: number; fetchState: { offset: number } | null }[]
    >`
      select object_key, upload_id, looks, fetch_state from media join jobs using (media_id) where job_id = ${jobId}`
  )[0]!;

/** A step that is taken, or not needed: what an earlier test left running may hold both places for a moment. */
async function step(jobId: string, stepMs?: number): Promise<void> {
  const stepsOf = async () => {
    const [row] = await intake.core.sql<{ looks: number; state: string }[]>`
      select looks, state from media join jobs using (media_id) where job_id = ${jobId}`;
    return row!;
  };
  const before = await stepsOf();
  for (
    let now = before;
    now.state === 'awaiting_upload' && now.looks === before.looks;
    now = await stepsOf()
  ) {
    await fetchStep(intake.core, jobId, stepMs);
  }
}

describe('a medium at an address', () => {
  test('is fetched and queued', async () => {
    const film = await media.mp4();
    answer = serve(film);
    const { body } = await intake.call('/', { url: `${address}/some%20where/my%20film.mp4?token=1` });
    expect(body.jobs[0]).toMatchObject({ state: 'awaiting_upload', name: 'my film.mp4' });
    expect(body.jobs[0]).not.toHaveProperty('upload');
    const row = await jobIn(intake.core, body.jobs[0].jobId, 'queued');
    expect(row).toMatchObject({ kind: 'video', sizeBytes: film.length });
    expect(row.objectKey).toBe(`uploads/${body.jobs[0].jobId}/my_film.mp4`);
    expect(requests[0]!.url).toBe('/some%20where/my%20film.mp4?token=1');
    expect((await intake.call(`/${body.jobs[0].jobId}/upload`, {})).body).toMatchObject({
      code: 'wrong_state',
    });
  });

  test('is fetched over redirects', async () => {
    const film = await media.wav();
    answer = (request, response) => {
      if (request.url === '/end') void serve(film)(request, response);
      else
        response.writeHead(302, { location: request.url === '/start' ? `${address}/middle` : 'end' }).end();
    };
    await jobIn(intake.core, await submitUrl('/start'), 'queued');
    expect(requests.map((request) => request.url)).toEqual(['/start', '/middle', '/end']);
  });

  test('of unknown length', async () => {
    const film = await media.wav(2);
    answer = (_, response) => response.writeHead(200).end(film);
    expect((await jobIn(intake.core, await submitUrl('/a.wav'), 'queued')).sizeBytes).toBe(film.length);
  });

  test.each<[string, (request: IncomingMessage, response: ServerResponse) => void, string, RegExp]>([
    ['is not there', (_, response) => response.writeHead(404).end(), 'url_fetch_failed', /answered 404/],
    ['asks to log in', (_, response) => response.writeHead(401).end(), 'url_fetch_failed', /answered 401/],
    [
      'is a web page',
      (_, response) => response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' }).end('<p>'),
      'unsupported_media',
      /web page/,
    ],
    [
      'is empty',
      (_, response) => response.writeHead(200, { 'content-length': 0 }).end(),
      'broken_media',
      /empty/,
    ],
    [
      'is no medium',
      (_, response) => response.writeHead(200).end('just text'),
      'unsupported_media',
      /text file/,
    ],
    [
      'is too large, as it says',
      (_, response) => response.writeHead(200, { 'content-length': 60 * 2 ** 20 + 1 }).write('x'),
      'media_too_large',
      /more than/,
    ],
    [
      'is too large without saying so',
      (_, response) => {
        const chunk = Buffer.alloc(2 ** 20);
        const more = () => {
          while (!response.destroyed && response.write(chunk));
        };
        response.writeHead(200).on('drain', more);
        more();
      },
      'media_too_large',
      /more than/,
    ],
    [
      'redirects for ever',
      (_, response) => response.writeHead(302, { location: '/again' }).end(),
      'url_fetch_failed',
      /more than 5 times/,
    ],
    [
      'redirects to another protocol',
      (_, response) => response.writeHead(302, { location: 'file:///etc/passwd' }).end(),
      'url_not_allowed',
      /https/,
    ],
    [
      'redirects with a password',
      (_, response) => response.writeHead(302, { location: 'http://a:b@127.0.0.1/' }).end(),
      'url_not_allowed',
      /password/,
    ],
  ])('that %s fails with a sentence', async (_, handler, code, sentence) => {
    answer = handler;
    const row = await jobIn(intake.core, await submitUrl('/a.mp4'), 'failed');
    expect(row.errorCode).toBe(code);
    expect(row.errorDetail).toMatch(sentence);
    expect(
      await intake.core
        .sql`select from media where object_key = ${row.objectKey} and next_look_at is not null`,
    ).toHaveLength(0);
  });

  test('that fails for the moment is tried again, later and later, and given up in the end', async () => {
    intake.losesEvents = true;
    answer = (_, response) => response.writeHead(503).end();
    const jobId = await submitUrl('/a.wav');
    const pauses: number[] = [];
    for (let i = 0; i < 4; i++) {
      await step(jobId);
      const [row] = await intake.core.sql<{ seconds: number }[]>`
        select round(extract(epoch from next_look_at - now()))::int as seconds from media join jobs using (media_id) where job_id = ${jobId}`;
      pauses.push(row!.seconds);
      await fetchStep(intake.core, jobId); // not due: nothing happens
      await intake.core.sql`update media set next_look_at = now() where next_look_at is not null`;
    }
    expect(pauses).toEqual([2, 4, 8, 16]);
    expect(requests).toHaveLength(4);
    await step(jobId);
    const row = await jobIn(intake.core, jobId, 'failed');
    expect(row).toMatchObject({ errorCode: 'url_fetch_failed', errorDetail: 'The address answered 503.' });
  });

  test('that nobody answers at', async () => {
    intake.losesEvents = true;
    const { body } = await intake.call('/', { url: 'http://127.0.0.1:1/a.mp4' });
    for (let i = 0; i < 5; i++) {
      await intake.core.sql`update media set next_look_at = now() where next_look_at is not null`;
      await step(body.jobs[0].jobId);
    }
    const row = await jobIn(intake.core, body.jobs[0].jobId, 'failed');
    expect(row.errorDetail).toBe('The address cannot be reached: ECONNREFUSED.');
  });
});

describe('a large medium', () => {
  async function large(bytes = 40 * 2 ** 20): Promise<Buffer> {
    const file = Buffer.alloc(bytes);
    (await media.wav()).copy(file);
    for (let at = 2 ** 20; at < bytes; at += 2 ** 20) file.writeUInt32LE(at, at);
    return file;
  }
  const contentOf = async (jobId: string, length: number) =>
    intake.core.bucket.read((await mediumOf(jobId)).objectKey, 0, length);

  test('is fetched in several steps that go on where the last one ended', async () => {
    intake.losesEvents = true;
    const file = await large();
    answer = serve(file, { pauseMs: 1 });
    const jobId = await submitUrl('/large.wav');
    await step(jobId, 0);
    const first = await mediumOf(jobId);
    expect(first.fetchState!.offset).toBeGreaterThanOrEqual(12 * 2 ** 20);
    expect(first.uploadId).not.toBeNull();
    for (let i = 0; i < 3; i++) await step(jobId, 0);
    expect((await jobIn(intake.core, jobId, 'queued')).sizeBytes).toBe(file.length);
    expect((await contentOf(jobId, file.length)).equals(file)).toBe(true);
    expect(
      requests.slice(1).every((request) => request.headers.range && request.headers['if-range'] === '"1"'),
    ).toBe(true);
  });

  test('rings for its own next step', async () => {
    const file = await large(30 * 2 ** 20);
    answer = serve(file, { pauseMs: 1 });
    intake.losesEvents = true;
    const jobId = await submitUrl('/large.wav');
    intake.losesEvents = false;
    await step(jobId, 0); // the rest comes by event
    expect((await jobIn(intake.core, jobId, 'queued')).sizeBytes).toBe(file.length);
  });

  test('whose connection breaks goes on, and the sweep finds it when nobody rang', async () => {
    intake.losesEvents = true;
    const file = await large();
    const whole = serve(file);
    answer = (request, response) => {
      if (requests.length > 1) return void whole(request, response);
      response.writeHead(200, { 'content-length': file.length, 'accept-ranges': 'bytes', etag: '"1"' });
      response.write(file.subarray(0, 26 * 2 ** 20), () => setTimeout(() => response.destroy(), 300));
    };
    const jobId = await submitUrl('/large.wav');
    await step(jobId);
    const broken = await mediumOf(jobId);
    expect(broken.fetchState).toMatchObject({ failures: 0 });
    expect(broken.fetchState!.offset).toBeGreaterThanOrEqual(24 * 2 ** 20);
    expect(await jobIn(intake.core, jobId, 'awaiting_upload')).toBeDefined();
    intake.losesEvents = false;
    await intake.core.sql`update media set next_look_at = now() where next_look_at is not null`;
    await sweepUploads(intake.core);
    await jobIn(intake.core, jobId, 'queued');
    expect((await contentOf(jobId, file.length)).equals(file)).toBe(true);
  });

  test('that changes on the way is begun again', async () => {
    intake.losesEvents = true;
    const [old, fresh] = [await large(), await large(30 * 2 ** 20)];
    answer = serve(old);
    const jobId = await submitUrl('/large.wav');
    await step(jobId, 0);
    answer = serve(fresh, { etag: '"2"' });
    for (let i = 0; i < 3; i++) {
      await intake.core.sql`update media set next_look_at = now() where next_look_at is not null`;
      await step(jobId);
    }
    expect((await jobIn(intake.core, jobId, 'queued')).sizeBytes).toBe(fresh.length);
    expect((await contentOf(jobId, fresh.length)).equals(fresh)).toBe(true);
  });

  test('at a server that cannot continue fails, rather than never to end', async () => {
    intake.losesEvents = true;
    answer = serve(await large(), { ranges: false, pauseMs: 1 });
    const jobId = await submitUrl('/large.wav');
    await step(jobId, 0);
    const row = await jobIn(intake.core, jobId, 'failed');
    expect(row.errorDetail).toContain('cannot continue');
    expect((await mediumOf(jobId)).uploadId).toBeNull();
  });

  test('is fetched by one step at a time, whoever rings', async () => {
    intake.losesEvents = true;
    answer = serve(await media.wav(), { pauseMs: 100 });
    const jobId = await submitUrl('/a.wav');
    await Promise.all([step(jobId), ...Array.from({ length: 4 }, () => fetchStep(intake.core, jobId))]);
    await jobIn(intake.core, jobId, 'queued');
    expect(requests).toHaveLength(1);
  });

  test('among many does not take all the places: two at a time, each in its turn', async () => {
    const sound = await media.wav();
    let [now, most] = [0, 0];
    answer = async (_, response) => {
      most = Math.max(most, ++now);
      await new Promise((resolve) => setTimeout(resolve, 50));
      now -= 1;
      response.writeHead(200).end(sound);
    };
    const files = Array.from({ length: 12 }, (_, i) => ({ url: `${address}/${i}.wav` }));
    const { body } = await intake.call('/', { files });
    for (const job of body.jobs) await jobIn(intake.core, job.jobId, 'queued');
    expect(most).toBe(2);
    expect(requests).toHaveLength(12);
  });

  test('that was stored by a step that died before it could say so is not fetched again', async () => {
    intake.losesEvents = true;
    answer = serve(await media.wav());
    const jobId = await submitUrl('/a.wav');
    const { objectKey } = await mediumOf(jobId);
    await intake.core.bucket.write(objectKey, await media.wav(), 'audio/wav');
    await intake.core.sql`update media set looks = 1 where object_key = ${objectKey}`;
    await step(jobId);
    await jobIn(intake.core, jobId, 'queued');
    expect(requests).toHaveLength(0);
  });

  test('whose parts the object store has dropped is begun again', async () => {
    intake.losesEvents = true;
    const file = await large();
    answer = serve(file, { pauseMs: 1 });
    const jobId = await submitUrl('/large.wav');
    await step(jobId, 0);
    const { objectKey, uploadId } = await mediumOf(jobId);
    await intake.core.bucket.abortMultipart(objectKey, uploadId!);
    for (let i = 0; i < 2; i++) {
      await step(jobId);
      await intake.core.sql`update media set next_look_at = now() where next_look_at is not null`;
    }
    expect((await jobIn(intake.core, jobId, 'queued')).sizeBytes).toBe(file.length);
    expect((await contentOf(jobId, file.length)).equals(file)).toBe(true);
  });

  test('waits while our own object store is away, and is not blamed for it', async () => {
    intake.losesEvents = true;
    answer = serve(await media.wav());
    const jobId = await submitUrl('/a.wav');
    const { bucket, config } = intake.core;
    const away = openBucket({ ...config, AIMA_S3_ENDPOINT: 'http://127.0.0.1:1' });
    for (let i = 0; i < 7; i++) {
      await fetchStep({ ...intake.core, bucket: { ...bucket, write: away.write } }, jobId);
      await intake.core.sql`update media set next_look_at = now() where next_look_at is not null`;
    }
    await jobIn(intake.core, jobId, 'awaiting_upload');
    await step(jobId);
    await jobIn(intake.core, jobId, 'queued');
  });

  test('is not fetched further once its job is canceled', async () => {
    intake.losesEvents = true;
    answer = serve(await large(), { pauseMs: 1 });
    const jobId = await submitUrl('/large.wav');
    await step(jobId, 0);
    await intake.core.sql`update jobs set state = 'canceled' where job_id = ${jobId}`;
    await fetchStep(intake.core, jobId, 0);
    expect(requests).toHaveLength(1);
    await intake.core.sql`update media set next_look_at = now() where next_look_at is not null`;
    await sweepUploads(intake.core);
    expect(await mediumOf(jobId)).toMatchObject({ uploadId: null, fetchState: null });
  });
});

describe('addresses that are not public', () => {
  test.each([
    ['8.8.8.8', true],
    ['193.99.144.80', true],
    ['2a02:2e0:3fe:1001:302::', true],
    ['0.0.0.0', false],
    ['10.0.0.1', false],
    ['100.64.0.1', false],
    ['127.255.255.254', false],
    ['169.254.169.254', false],
    ['172.31.255.255', false],
    ['192.168.1.1', false],
    ['198.18.0.1', false],
    ['224.0.0.1', false],
    ['255.255.255.255', false],
    ['::', false],
    ['::1', false],
    ['::ffff:8.8.8.8', false],
    ['64:ff9b::7f00:1', false],
    ['fe80::1', false],
    ['fc00::1', false],
    ['ff02::1', false],
    ['2001:db8::1', false],
    ['2002:a00:1::', false],
    ['not an address', false],
  ])('%s: %s', (ip, expected) => {
    expect(isPublic(ip)).toBe(expected);
  });

  const port = () => (site.address() as AddressInfo).port;
  const options = { method: 'GET', maxRedirects: 5, signal: new AbortController().signal } as const;
  /** Loopback's first address stands for the public ones here, every other for a private one. */
  const rules = (...answers: string[]): AddressRules => ({
    protocols: ['http:'],
    permits: (ip) => ip === '127.0.0.1',
    resolve: async () => answers.map((ip) => ({ address: ip, family: ip.includes(':') ? 6 : 4 })),
  });

  test('are refused where a name leads to one, alone or among others', async () => {
    for (const answers of [['127.0.0.2'], ['127.0.0.1', '127.0.0.2'], ['::1'], []]) {
      await expect(send(`http://name.test:${port()}/`, options, rules(...answers))).rejects.toMatchObject({
        code: 'url_not_allowed',
      });
    }
    expect(requests).toHaveLength(0);
  });

  test('are refused where a redirect leads to one', async () => {
    answer = (_, response) =>
      response.writeHead(302, { location: `http://127.0.0.2:${port()}/secret` }).end();
    await expect(send(`http://127.0.0.1:${port()}/`, options, rules())).rejects.toMatchObject({
      code: 'url_not_allowed',
    });
    expect(requests.map((request) => request.url)).toEqual(['/']);
  });

  test('are not reached by a name that answers differently the second time', async () => {
    answer = (_, response) => response.writeHead(200).end('public');
    let asked = 0;
    const rebinding: AddressRules = {
      ...rules(),
      resolve: async () => {
        asked += 1;
        return [{ address: asked === 1 ? '127.0.0.1' : '127.0.0.2', family: 4 }];
      },
    };
    const reply = await send(`http://name.test:${port()}/`, options, rebinding);
    expect(reply.socket.remoteAddress).toBe('127.0.0.1');
    reply.destroy();
    expect(asked).toBe(1);
  });
});

test('without a broker the sweep fetches by itself', async () => {
  answer = serve(await media.wav());
  intake.losesEvents = true;
  const jobId = await submitUrl('/a.wav');
  await intake.core.publisher.client.endAsync(true);
  await sweepUploads(intake.core);
  await jobIn(intake.core, jobId, 'queued');
});
