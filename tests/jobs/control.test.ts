import mqtt from 'mqtt';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Superseded } from '../../gpu-worker/lease/server.ts';
import { baseLogins } from '../broker/brokers.ts';
import { assignJob, insertInstance, insertJob } from '../database/fresh.ts';
import { runReport, segment } from './rows.ts';
import { type System, startJob, startSystem } from './system.ts';

let system: System;
beforeAll(async () => {
  system = await startSystem();
});
afterAll(() => system.stop());

async function rowOf(jobId: string) {
  const [row] = await system.core.sql`
    select j.*, (select count(*)::int from parts p where p.job_id = j.job_id) as parts
    from jobs j where job_id = ${jobId}`;
  return row!;
}

const post = (jobId: string, what: string, body?: unknown) =>
  system.api('POST', `/${jobId}/${what}`, body === undefined ? {} : { body });

/** A job that a worker has failed. */
async function failedJob(): Promise<string> {
  const jobId = await system.uploadedJob({ analyses: ['transcribe'] });
  const { server, job } = await startJob(system, jobId);
  await server.savePart(job, 'transcribe', { fromMs: 0, toMs: 1000, rows: [segment('one', 0)] });
  await server.progress(job, 0.5);
  await server.fail(job, {
    code: 'internal',
    detail: 'It broke.',
    retry: false,
    run: runReport([{ status: 'failed' }]),
  });
  return jobId;
}

/** Events of the broker from now on. */
async function listen() {
  const connector = baseLogins[1]!;
  const client = await mqtt.connectAsync(system.brokerUrl, { ...connector, reconnectPeriod: 0 });
  const heard: { topic: string; body: string }[] = [];
  client.on('message', (topic, body) => heard.push({ topic, body: body.toString() }));
  await client.subscribeAsync('aima/#', { qos: 1 });
  return {
    heard,
    async until(topic: string): Promise<void> {
      while (!heard.some((event) => event.topic === topic)) {
        await new Promise((resolve) => client.once('message', resolve));
      }
    },
    close: () => client.endAsync(),
  };
}

describe('cancel', () => {
  it('takes a queued job out of the queue, and a second time changes nothing', async () => {
    const jobId = await system.uploadedJob();
    const { status, body } = await post(jobId, 'cancel');
    expect([status, body.state, body.error, body.settledAt]).toEqual([
      200,
      'canceled',
      null,
      expect.any(String),
    ]);
    expect((await post(jobId, 'cancel')).body).toEqual(body);
  });

  it('takes a running job from its worker, which can save nothing more', async () => {
    const jobId = await system.uploadedJob({ analyses: ['transcribe'] });
    const { server, job } = await startJob(system, jobId);
    await server.savePart(job, 'transcribe', { fromMs: 0, toMs: 1000, rows: [segment('one', 0)] });
    expect((await server.heartbeat()).jobs).toEqual([jobId]);
    const { body } = await post(jobId, 'cancel');
    expect(body).toMatchObject({ state: 'canceled', instanceId: null });
    expect(body.attempts[0]).toMatchObject({ outcome: 'canceled', endedAt: expect.any(String) });
    expect((await server.heartbeat()).jobs).toEqual([]);
    const late = server.savePart(job, 'transcribe', { fromMs: 1000, toMs: 2000, rows: [] });
    await expect(late).rejects.toBeInstanceOf(Superseded);
    await expect(server.finish(job, runReport([]), {})).rejects.toBeInstanceOf(Superseded);
    expect(await rowOf(jobId)).toMatchObject({ state: 'canceled', parts: 1 });
  });

  it('takes an assigned job from an instance that still boots', async () => {
    const jobId = await system.uploadedJob();
    await assignJob(system.core.sql, jobId, await insertInstance(system.core.sql));
    expect((await post(jobId, 'cancel')).body).toMatchObject({
      state: 'canceled',
      instanceId: null,
      attempt: 0,
    });
  });

  it('gives up the parts of an upload, but not while another job waits for it', async () => {
    const { sql, bucket } = system.core;
    const [jobId, other] = [
      await insertJob(sql, { state: 'awaiting_upload' }),
      await insertJob(sql, { state: 'awaiting_upload' }),
    ];
    await sql`update jobs set media_id = ${jobId} where job_id = ${other}`;
    const objectKey = `uploads/${jobId}/a.wav`;
    const uploadId = await bucket.startMultipart(objectKey, 'audio/wav');
    await sql`update media set upload_id = ${uploadId} where media_id = ${jobId}`;
    await post(jobId, 'cancel');
    await bucket.writePart(objectKey, uploadId, 1, Buffer.from('part'));
    await post(other, 'cancel');
    await expect(bucket.writePart(objectKey, uploadId, 1, Buffer.from('part'))).rejects.toMatchObject({
      code: 'NoSuchUpload',
    });
  });

  it('rings the planner, so that an instance with nothing left ends', async () => {
    const events = await listen();
    const jobId = await system.uploadedJob();
    await startJob(system, jobId);
    await post(jobId, 'cancel');
    await events.until('aima/jobs/queued');
    await events.until('aima/jobs/settled');
    await events.close();
  });

  it('is refused where the job has ended otherwise', async () => {
    const jobId = await failedJob();
    const { status, body } = await post(jobId, 'cancel');
    expect([status, body.code, body.detail]).toEqual([
      409,
      'wrong_state',
      'The job is failed: there is nothing to cancel.',
    ]);
  });

  it('and retry at the same moment leave one of the two states', async () => {
    const jobId = await system.uploadedJob();
    const answers = await Promise.all(
      Array.from({ length: 8 }, (_, i) => post(jobId, i % 2 ? 'retry' : 'cancel')),
    );
    expect(answers.every(({ status }) => status === 200 || status === 409)).toBe(true);
    expect(['canceled', 'queued']).toContain((await rowOf(jobId)).state);
  });
});

describe('retry', () => {
  it('queues a failed job with fresh attempts, to go on after what was saved', async () => {
    const jobId = await failedJob();
    const before = await rowOf(jobId);
    const { status, body } = await post(jobId, 'retry');
    expect(status).toBe(200);
    expect(body).toMatchObject({
      state: 'queued',
      error: null,
      progress: 0.5,
      attempt: 1,
      maxAttempts: 4,
      settledAt: null,
    });
    const after = await rowOf(jobId);
    expect(after).toMatchObject({ parts: 1, run: null, notBeforeAt: null, finishedAt: null });
    expect(after.queuedAt.getTime()).toBeGreaterThan(before.queuedAt.getTime());
    const { server, job } = await startJob(system, jobId);
    expect(job.attempt).toBe(2);
    expect(await server.saved(job)).toMatchObject([{ analyzer: 'transcribe', fromMs: 0, toMs: 1000 }]);
  });

  it('from scratch forgets what was saved', async () => {
    const jobId = await failedJob();
    const { body } = await post(jobId, 'retry', { fromScratch: true });
    expect(body).toMatchObject({ state: 'queued', progress: 0 });
    expect((await rowOf(jobId)).parts).toBe(0);
  });

  it('keeps the old document until the job is settled again, but shows what there is now', async () => {
    const jobId = await system.uploadedJob({ analyses: ['transcribe'] });
    await post(jobId, 'cancel');
    await post(jobId, 'retry');
    expect((await system.api('GET', `/${jobId}/result`)).body).toMatchObject({
      state: 'queued',
      status: 'partial',
    });
    await post(jobId, 'cancel');
    expect((await system.api('GET', `/${jobId}/result`)).body).toMatchObject({ state: 'canceled' });
  });

  it('is refused while there is nothing to retry', async () => {
    const { status, body } = await post(await system.uploadedJob(), 'retry');
    expect([status, body.code]).toEqual([409, 'wrong_state']);
    expect(body.detail).toMatch(/only a failed or canceled one/);
  });

  it('is refused where the file is gone, was replaced or never came', async () => {
    const { sql, bucket } = system.core;
    const gone = await failedJob();
    await bucket.remove(`uploads/${gone}/a.wav`);
    const replaced = await failedJob();
    await bucket.write(`uploads/${replaced}/a.wav`, Buffer.from('other sound'), 'audio/wav');
    const neverCame = await insertJob(sql, { state: 'awaiting_upload' });
    await post(neverCame, 'cancel');
    for (const jobId of [gone, replaced, neverCame]) {
      const { status, body } = await post(jobId, 'retry');
      expect([status, body.detail]).toEqual([409, 'The file is not stored here: submit it again.']);
    }
  });

  it('is refused where the file itself was refused before any worker saw it', async () => {
    const jobId = await system.uploadedJob();
    await system.core
      .sql`update jobs set state = 'failed', error_code = 'broken_media', error_detail = 'It has no frames.' where job_id = ${jobId}`;
    const { status, body } = await post(jobId, 'retry');
    expect([status, body.detail]).toEqual([409, 'The file cannot be analysed. It has no frames.']);
  });

  it('says that the object store is away', async () => {
    const jobId = await failedJob();
    await system.withoutObjects(async () => {
      const { status, body } = await post(jobId, 'retry');
      expect([status, body.code]).toEqual([503, 'storage_unavailable']);
    });
    expect((await post(jobId, 'retry')).status).toBe(200);
  });

  it.each([{ fromScratch: 'yes' }, { fromScratch: null }, ['fromScratch'], 'x'])(
    'refuses the body %j',
    async (body) => {
      expect((await post(await failedJob(), 'retry', body)).status).toBe(400);
    },
  );
});

describe('confirm', () => {
  it('lets a job go on, and a second time changes nothing', async () => {
    const events = await listen();
    const jobId = await insertJob(system.core.sql, { state: 'awaiting_upload' });
    await system.core.sql`update jobs set state = 'awaiting_confirmation' where job_id = ${jobId}`;
    expect((await post(jobId, 'confirm')).body).toMatchObject({ state: 'queued' });
    await events.until('aima/jobs/queued');
    await events.close();
    expect(events.heard.find((event) => event.topic === 'aima/jobs/queued')!.body).toContain(jobId);
    expect((await post(jobId, 'confirm')).body).toMatchObject({ state: 'queued' });
  });

  it('is refused where there is nothing to confirm', async () => {
    const jobId = await insertJob(system.core.sql, { state: 'awaiting_upload' });
    const { status, body } = await post(jobId, 'confirm');
    expect([status, body.code]).toEqual([409, 'wrong_state']);
  });
});
