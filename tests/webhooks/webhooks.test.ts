import { createHmac, timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { settleJobs } from '../../functions/core/jobs/settle.ts';
import { deliverWebhooks } from '../../functions/core/webhooks/deliver.ts';
import { signedHeaders } from '../../functions/core/webhooks/sign.ts';
import { type Intake, startIntake } from '../submit/start-intake.ts';

let intake: Intake;
let receiver: Server;
let address: string;
let answer: (request: IncomingMessage, response: ServerResponse) => void;
let calls: { headers: Record<string, string>; body: string; path: string }[] = [];

beforeAll(async () => {
  intake = await startIntake({ AIMA_ALLOW_PRIVATE_ADDRESSES: '1' });
  receiver = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    calls.push({
      headers: request.headers as Record<string, string>,
      body: Buffer.concat(chunks).toString(),
      path: request.url!,
    });
    answer(request, response);
  });
  await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve));
  address = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}`;
});
afterAll(async () => {
  await intake?.stop();
  receiver?.closeAllConnections();
  receiver?.close();
});
beforeEach(() => {
  answer = (_, response) => response.writeHead(204).end();
});
afterEach(async () => {
  calls = [];
  await intake.core.sql`delete from webhooks`;
});

/** A job that has failed and is settled, so that its webhook waits. */
async function settledJob(callbackUrl: string): Promise<string> {
  const { body } = await intake.call('/', { name: 'talk.mp4', callbackUrl });
  const { jobId } = body.jobs[0];
  await intake.core.sql`
    update jobs set state = 'failed', error_code = 'broken_media', error_detail = 'The file is empty.' where job_id = ${jobId}`;
  expect(await settleJobs(intake.core, { jobId })).toEqual([jobId]);
  return jobId;
}

const rowOf = async (jobId: string) =>
  (
    await intake.core.sql<
      {
        tries: number;
        deliveredAt: Date | null;
        nextTryAt: Date | null;
        lastError: string | null;
        seconds: number | null;
      }[]
    >`select *, round(extract(epoch from next_try_at - now()))::int as seconds from webhooks where job_id = ${jobId}`
  )[0]!;
const makeDue = () => intake.core.sql`update webhooks set next_try_at = now() where next_try_at is not null`;

/** As a receiver's library does it: https://github.com/standard-webhooks/standard-webhooks */
function verify({ headers, body }: { headers: Record<string, string>; body: string }): boolean {
  const key = Buffer.from(intake.core.config.secret('webhook-secret').slice('whsec_'.length), 'base64');
  const signed = `${headers['webhook-id']}.${headers['webhook-timestamp']}.${body}`;
  const expected = createHmac('sha256', key).update(signed).digest();
  const [version, signature] = headers['webhook-signature']!.split(',');
  return version === 'v1' && timingSafeEqual(Buffer.from(signature!, 'base64'), expected);
}

describe('a callback', () => {
  test('tells what became of the job, signed', async () => {
    const jobId = await settledJob(`${address}/hook?who=me`);
    expect(await deliverWebhooks(intake.core)).toBe(1);
    expect(calls).toHaveLength(1);
    expect(calls[0]!.path).toBe('/hook?who=me');
    expect(calls[0]!.headers['content-type']).toBe('application/json');
    expect(verify(calls[0]!)).toBe(true);
    expect(Math.abs(Date.now() / 1000 - Number(calls[0]!.headers['webhook-timestamp']))).toBeLessThan(60);
    expect(JSON.parse(calls[0]!.body)).toMatchObject({
      type: 'job.settled',
      timestamp: expect.stringMatching(/^\d{4}-.*Z$/),
      data: {
        ...{ jobId, name: 'talk.mp4', state: 'failed', costMicrodollars: 0 },
        error: { code: 'broken_media', detail: 'The file is empty.' },
        links: { self: `${intake.core.config.AIMA_GATEWAY_URL}/function/jobs/${jobId}` },
      },
    });
    expect(await rowOf(jobId)).toMatchObject({
      tries: 1,
      nextTryAt: null,
      lastError: null,
      deliveredAt: expect.any(Date),
    });
    expect(await deliverWebhooks(intake.core)).toBe(0);
    expect(calls).toHaveLength(1);
  });

  test('is tried again, later and later, with the same id, and given up after eight times', async () => {
    answer = (_, response) => response.writeHead(500).end('no');
    const jobId = await settledJob(address);
    const pauses: (number | null)[] = [];
    for (let i = 0; i < 10; i++) {
      expect(await deliverWebhooks(intake.core)).toBe(0);
      pauses.push((await rowOf(jobId)).seconds);
      await makeDue();
    }
    expect(pauses).toEqual([5, 60, 300, 1800, 7200, 21_600, 43_200, null, null, null]);
    expect(calls).toHaveLength(8);
    expect(new Set(calls.map((call) => call.headers['webhook-id'])).size).toBe(1);
    expect(new Set(calls.map((call) => call.body)).size).toBe(1);
    expect(calls.every(verify)).toBe(true);
    expect(await rowOf(jobId)).toMatchObject({ deliveredAt: null, lastError: 'It answered 500.' });
  });

  test('arrives after failures', async () => {
    answer = (_, response) => response.writeHead(calls.length < 3 ? 503 : 200).end();
    const jobId = await settledJob(address);
    for (let i = 0; i < 3; i++) {
      await deliverWebhooks(intake.core);
      await makeDue();
    }
    expect(await rowOf(jobId)).toMatchObject({
      tries: 3,
      lastError: null,
      deliveredAt: expect.any(Date),
      nextTryAt: null,
    });
  });

  test.each<[string, () => string, string]>([
    ['410: at once', () => `${address}/gone`, 'It answered 410: it wants no more calls.'],
    ['a redirect: not followed', () => `${address}/moved`, 'It answered 302.'],
    ['nobody there', () => 'http://127.0.0.1:1/', 'It could not be reached: ECONNREFUSED.'],
  ])('that meets %s', async (_, url, sentence) => {
    answer = ({ url: path }, response) =>
      response.writeHead(path === '/gone' ? 410 : 302, { location: `${address}/elsewhere` }).end();
    const jobId = await settledJob(url());
    await deliverWebhooks(intake.core);
    const row = await rowOf(jobId);
    expect(row.lastError).toBe(sentence);
    expect(row.nextTryAt === null).toBe(sentence.includes('410'));
    expect(calls.some((call) => call.path === '/elsewhere')).toBe(false);
  });

  test('goes nowhere that is not public, unless that is allowed', async () => {
    const jobId = await settledJob(address);
    const { config } = intake.core;
    await deliverWebhooks({ ...intake.core, config: { ...config, AIMA_ALLOW_PRIVATE_ADDRESSES: false } });
    expect(calls).toHaveLength(0);
    expect((await rowOf(jobId)).lastError).toContain('https');
  });

  test('is sent once by several deliverers at the same time', async () => {
    const jobIds = await Promise.all(Array.from({ length: 30 }, () => settledJob(address)));
    const rounds = await Promise.all(Array.from({ length: 4 }, () => deliverWebhooks(intake.core)));
    expect(rounds.reduce((a, b) => a + b) + (await deliverWebhooks(intake.core))).toBe(30);
    expect(calls.map((call) => JSON.parse(call.body).data.jobId).sort()).toEqual(jobIds.sort());
  });

  test('that a deliverer took and died with is sent by the next one', async () => {
    const jobId = await settledJob(address);
    await intake.core.sql`update webhooks set tries = 1, next_try_at = now() + interval '5 seconds'`;
    expect(await deliverWebhooks(intake.core)).toBe(0);
    await makeDue();
    expect(await deliverWebhooks(intake.core)).toBe(1);
    expect((await rowOf(jobId)).tries).toBe(2);
  });

  test('of a job that was sent back waits until it has settled again', async () => {
    const jobId = await settledJob(address);
    await intake.core.sql`update jobs set state = 'queued' where job_id = ${jobId}`;
    expect(await deliverWebhooks(intake.core)).toBe(0);
    await intake.core.sql`update jobs set state = 'canceled' where job_id = ${jobId}`;
    await settleJobs(intake.core, { jobId });
    expect(await deliverWebhooks(intake.core)).toBe(1);
    expect(JSON.parse(calls[0]!.body).data.state).toBe('canceled');
  });
});

// Example of the standard's reference libraries (standardwebhooks, test of "sign").
test('the signature is the one that the libraries make', () => {
  const headers = signedHeaders(
    'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw',
    'msg_p5jXN8AQM9LWM0D4loKWxJek',
    new Date(1614265330_000),
    Buffer.from('{"test": 2432232314}'),
  );
  expect(headers).toEqual({
    'webhook-id': 'msg_p5jXN8AQM9LWM0D4loKWxJek',
    'webhook-timestamp': '1614265330',
    'webhook-signature': 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
  });
});
