import mqtt from 'mqtt';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sweepDeletions } from '../../functions/core/jobs/deletions.ts';
import { settleJobs } from '../../functions/core/jobs/settle.ts';
import { Superseded } from '../../gpu-worker/lease/server.ts';
import { baseLogins } from '../broker/brokers.ts';
import { runReport, segment } from './rows.ts';
import { type System, startJob, startSystem } from './system.ts';

let system: System;
beforeAll(async () => {
  system = await startSystem();
});
afterAll(() => system.stop());

const remove = async (jobId: string) => (await system.api('DELETE', `/${jobId}`)).status;
const isThere = async (key: string) => (await system.core.bucket.stat(key)) !== null;

/** Rows that speak of a job, by table; those with none are left out. */
async function tracesOf(jobId: string): Promise<Record<string, number>> {
  const { sql } = system.core;
  const traces: Record<string, number> = {};
  for (const table of ['jobs', 'parts', 'segments', 'words', 'documents', 'webhooks', 'job_access']) {
    const [row] = await sql<
      { n: number }[]
    >`select count(*)::int as n from ${sql(table)} where job_id = ${jobId}`;
    if (row!.n > 0) traces[table] = row!.n;
  }
  // When an attempt was stays known until its machine is gone and charged: tests/ledger/charges.test.ts.
  const [row] = await sql<{ attempts: number; media: number; batches: number }[]>`
    select (select count(*)::int from attempts where job_id = ${jobId} and (user_id is null or error_detail is not null)) as attempts,
           (select count(*)::int from media where media_id = ${jobId}) as media,
           (select count(*)::int from batches where batch_id = ${jobId}) as batches`;
  if (row!.attempts > 0) traces.attempts = row!.attempts;
  if (row!.media > 0) traces.media = row!.media;
  if (row!.batches > 0) traces.batches = row!.batches;
  return traces;
}

async function deletionsOf(jobId: string) {
  return system.core.sql`select * from deletions where key like ${`%${jobId}%`} order by key`;
}

async function settledJob(options: Parameters<System['uploadedJob']>[0] = {}): Promise<string> {
  const jobId = await system.uploadedJob({ analyses: ['transcribe'], ...options });
  await system.core.sql`update jobs set callback_url = 'https://example.org/' where job_id = ${jobId}`;
  const { server, job } = await startJob(system, jobId);
  await server.savePart(job, 'transcribe', { fromMs: 0, toMs: 1000, rows: [segment('one', 0)] });
  await server.finish(job, runReport([{}]), {});
  await settleJobs(system.core, { jobId });
  await system.core.bucket.write(`results/${jobId}/scenes/s1.webp`, Buffer.from('x'), 'image/webp');
  await system.core.bucket.write(`results/${jobId}/scenes/s2.webp`, Buffer.from('x'), 'image/webp');
  return jobId;
}

describe('deleting a job', () => {
  it('leaves nothing of it, and a second time there is none', async () => {
    const jobId = await settledJob();
    expect(Object.keys(await tracesOf(jobId))).toContain('webhooks');
    expect(await remove(jobId)).toBe(204);
    expect(await tracesOf(jobId)).toEqual({});
    expect(await isThere(`uploads/${jobId}/a.wav`)).toBe(false);
    expect(await isThere(`results/${jobId}/scenes/s1.webp`)).toBe(false);
    expect(await isThere(`results/${jobId}/scenes/s2.webp`)).toBe(false);
    const events = await system.core.sql`select type, data from events where job_id = ${jobId}`;
    expect(events).toEqual([{ type: 'job.deleted', data: {} }]);
    expect(await remove(jobId)).toBe(404);
    expect((await system.api('GET', `/${jobId}/result`)).status).toBe(404);
  });

  it('cancels it first where it runs', async () => {
    const jobId = await system.uploadedJob({ analyses: ['transcribe'] });
    const { server, job } = await startJob(system, jobId);
    await server.savePart(job, 'transcribe', { fromMs: 0, toMs: 1000, rows: [segment('one', 0)] });
    expect(await remove(jobId)).toBe(204);
    expect((await server.heartbeat()).jobs).toEqual([]);
    await expect(server.finish(job, runReport([]), {})).rejects.toBeInstanceOf(Superseded);
    expect(await tracesOf(jobId)).toEqual({});
  });

  it('keeps the medium as long as another job uses it', async () => {
    const [first, second] = [await settledJob(), await settledJob()];
    const { sql } = system.core;
    await sql`update jobs set media_id = ${first} where job_id = ${second}`;
    expect(await remove(first)).toBe(204);
    expect(await isThere(`uploads/${first}/a.wav`)).toBe(true);
    expect(await tracesOf(first)).toEqual({ media: 1 });
    expect((await system.api('GET', `/${second}/medium`)).status).toBe(302);
    expect(await remove(second)).toBe(204);
    expect(await isThere(`uploads/${first}/a.wav`)).toBe(false);
    expect(await tracesOf(first)).toEqual({});
  });

  it('of the last two of a medium and batch at the same moment leaves neither', async () => {
    const { sql } = system.core;
    const first = await settledJob();
    const others = await Promise.all([settledJob(), settledJob(), settledJob()]);
    await sql`update jobs set media_id = ${first}, batch_id = ${first} where job_id = any (${others})`;
    const statuses = await Promise.all([first, first, ...others].map(remove));
    expect(statuses.toSorted()).toEqual([204, 204, 204, 204, 404]);
    expect(await tracesOf(first)).toEqual({});
    expect(await isThere(`uploads/${first}/a.wav`)).toBe(false);
  });

  it('does not touch a newer file with the same key in the inbox', async () => {
    const { sql, bucket } = system.core;
    const old = await settledJob({ key: 'inbox/same.wav' });
    await bucket.write('inbox/same.wav', Buffer.from('newer'), 'audio/wav');
    expect(await remove(old)).toBe(204);
    expect(await isThere('inbox/same.wav')).toBe(true);
    expect(await tracesOf(old)).toEqual({});
    await bucket.remove('inbox/same.wav');

    const closed = await settledJob({ key: 'inbox/closed.wav' });
    await sql`update media set deleted_at = now() where media_id = ${closed}`;
    await remove(closed);
    expect(await isThere('inbox/closed.wav')).toBe(true);
    expect(await tracesOf(closed)).toEqual({});
  });

  it('gives up an upload in parts that is under way', async () => {
    const { sql, bucket } = system.core;
    const jobId = await system.uploadedJob();
    const objectKey = `uploads/${jobId}/a.wav`;
    const uploadId = await bucket.startMultipart(objectKey, 'audio/wav');
    await sql`update media set upload_id = ${uploadId}, uploaded_at = null where media_id = ${jobId}`;
    await remove(jobId);
    await expect(bucket.writePart(objectKey, uploadId, 1, Buffer.from('x'))).rejects.toMatchObject({
      code: 'NoSuchUpload',
    });
  });

  it('removes its retained state from the broker', async () => {
    const jobId = await settledJob();
    const topic = `aima/users/${'0'.repeat(26)}/jobs/${jobId}`;
    const client = await mqtt.connectAsync(system.brokerUrl, { ...baseLogins[1]!, reconnectPeriod: 0 });
    const heard: string[] = [];
    client.on('message', (_, body, packet) => {
      heard.push(`${packet.retain ? 'retained ' : ''}${body}`);
    });
    await client.subscribeAsync(topic, { qos: 1 });
    while (heard.length < 1) await new Promise((resolve) => client.once('message', resolve));
    expect(heard[0]).toMatch(/^retained .*succeeded/);
    await remove(jobId);
    while (heard.length < 2) await new Promise((resolve) => client.once('message', resolve));
    expect(heard[1]).toBe('');
    await client.endAsync();
  });
});

describe('when the object store is away', () => {
  it('the job is gone at once, and the sweep removes the objects later', async () => {
    const { sql } = system.core;
    const jobId = await settledJob();
    await system.withoutObjects(async () => {
      expect(await remove(jobId)).toBe(204);
      expect((await system.api('GET', `/${jobId}`)).status).toBe(404);
    });
    // The medium's row stays, or an object in the inbox would be taken for a new one.
    expect(await tracesOf(jobId)).toEqual({ media: 1 });
    expect(await isThere(`uploads/${jobId}/a.wav`)).toBe(true);
    expect((await deletionsOf(jobId)).map((row) => row.tries)).toEqual([1, 1]);
    await sql`update deletions set next_try_at = now()`;
    await sweepDeletions(system.core);
    expect(await isThere(`uploads/${jobId}/a.wav`)).toBe(false);
    expect(await isThere(`results/${jobId}/scenes/s1.webp`)).toBe(false);
    expect(await tracesOf(jobId)).toEqual({});
  });

  it('a job submitted for the same medium meanwhile keeps it', async () => {
    const { sql } = system.core;
    const jobId = await settledJob();
    await system.withoutObjects(async () => {
      await remove(jobId);
    });
    const other = await settledJob();
    await sql`update jobs set media_id = ${jobId} where job_id = ${other}`;
    await sql`update deletions set next_try_at = now()`;
    await sweepDeletions(system.core);
    expect(await isThere(`uploads/${jobId}/a.wav`)).toBe(true);
    expect((await deletionsOf(jobId)).map((row) => row.isPrefix)).toEqual([true]);
  });
});

describe('what is written with an address that was signed before', () => {
  it('is removed when that has expired, and then nothing is left to do', async () => {
    const { sql, bucket } = system.core;
    const jobId = await settledJob();
    const upload = await bucket.presignPut(`uploads/${jobId}/a.wav`, 3600);
    const form = await bucket.presignPost(`results/${jobId}/`, 3600, 1000, 'beside us');
    await remove(jobId);
    expect((await fetch(upload, { method: 'PUT', body: 'again' })).status).toBe(200);
    const body = new FormData();
    for (const [name, value] of Object.entries(form.fields)) body.append(name, value);
    body.append('key', `results/${jobId}/late.webp`);
    body.append('Content-Type', 'image/webp');
    body.append('file', new Blob(['late']));
    expect((await fetch(form.url, { method: 'POST', body })).status).toBeLessThan(300);

    await sweepDeletions(system.core);
    expect(await isThere(`uploads/${jobId}/a.wav`)).toBe(true);
    const waiting = await deletionsOf(jobId);
    expect(waiting).toHaveLength(2);
    for (const row of waiting) expect(row.nextTryAt).toEqual(row.signedUntil);
    await sql`update deletions set next_try_at = now(), signed_until = now() where key like ${`%${jobId}%`}`;
    await sweepDeletions(system.core);
    expect(await isThere(`uploads/${jobId}/a.wav`)).toBe(false);
    expect(await isThere(`results/${jobId}/late.webp`)).toBe(false);
    expect(await deletionsOf(jobId)).toEqual([]);
  });
});
