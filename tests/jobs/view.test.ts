import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newId } from '../../functions/core/ids.ts';
import { settleJobs } from '../../functions/core/jobs/settle.ts';
import { assignJob, insertInstance } from '../database/fresh.ts';
import { runReport } from './rows.ts';
import { type System, startJob, startSystem } from './system.ts';

let system: System;
beforeAll(async () => {
  system = await startSystem();
});
afterAll(() => system.stop());

const view = async (jobId: string) => (await system.api('GET', `/${jobId}`)).body;

describe('one job', () => {
  it('tells its place in the queue by priority, then by time, and why it waits', async () => {
    const { sql } = system.core;
    const first = await system.uploadedJob();
    const second = await system.uploadedJob();
    const urgent = await system.uploadedJob({ priority: 5 });
    const event = (data: object) =>
      sql`insert into events (type, job_id, data) values ('plan.wait', ${second}, ${sql.json({ ...data })})`;
    await event({ because: 'no provider offers a machine now' });
    await event({ because: 'all 4 instances that may live are taken' });
    expect((await view(urgent)).queue).toMatchObject({ position: 1, reason: null });
    expect((await view(first)).queue.position).toBe(2);
    expect((await view(second)).queue).toEqual({
      position: 3,
      notBeforeAt: null,
      expectedStartAt: null,
      reason: 'all 4 instances that may live are taken',
    });
    for (const jobId of [first, second, urgent]) await system.api('DELETE', `/${jobId}`);
  });

  it('expects to start when the machine that boots for it should be ready', async () => {
    const { sql } = system.core;
    const [next, later] = [await system.uploadedJob(), await system.uploadedJob()];
    const instanceId = await insertInstance(sql);
    await sql`update instances set offer = '{"bootMs": 60000}' where instance_id = ${instanceId}`;
    await assignJob(sql, next, instanceId);
    await assignJob(sql, later, instanceId);
    const [instance] = await sql`select requested_at from instances where instance_id = ${instanceId}`;
    const { state, queue } = await view(next);
    expect(state).toBe('assigned');
    expect(queue.position).toBe(1);
    expect(Date.parse(queue.expectedStartAt)).toBe(instance!.requestedAt.getTime() + 60_000);
    expect((await view(later)).queue).toMatchObject({ position: 2, expectedStartAt: null });
    // Late: then nobody knows.
    await sql`update instances set offer = '{"bootMs": 0}' where instance_id = ${instanceId}`;
    expect((await view(next)).queue.expectedStartAt).toBeNull();
  });

  it('says what it has cost so far, and what it cost in the end', async () => {
    const jobId = await system.uploadedJob();
    const { instanceId, server, job } = await startJob(system, jobId);
    await system.core
      .sql`update instances set requested_at = now() - interval '1 hour' where instance_id = ${instanceId}`;
    await server.progress(job, 0.25);
    const running = await view(jobId);
    expect(running).toMatchObject({
      state: 'running',
      progress: 0.25,
      queue: null,
      instanceId,
      attempt: 1,
      settledAt: null,
    });
    // The instance costs 360,000 micro-dollars an hour.
    expect(running.costMicrodollars).toBeGreaterThanOrEqual(360_000);
    await server.finish(job, runReport([]), {});
    await settleJobs(system.core, { jobId });
    const done = await view(jobId);
    expect(done).toMatchObject({ state: 'succeeded', progress: 1, instanceId: null });
    expect(done.costMicrodollars).toBeGreaterThanOrEqual(running.costMicrodollars);
    expect(done.attempts).toEqual([
      expect.objectContaining({
        attempt: 1,
        instanceId,
        outcome: 'succeeded',
        error: null,
      }),
    ]);
    // Its machine still runs: the attempt's share grows until it is gone, when both become final.
    expect(done.attempts[0].costMicrodollars).toBeGreaterThanOrEqual(done.costMicrodollars);
  });

  it('explains its error with advice, also one that this version does not know', async () => {
    const jobId = await system.uploadedJob();
    const { server, job } = await startJob(system, jobId);
    await server.fail(job, {
      code: 'broken_media',
      detail: 'The film ends in mid-frame.',
      retry: false,
      run: runReport([]),
    });
    expect((await view(jobId)).error).toEqual({
      code: 'broken_media',
      detail: 'The film ends in mid-frame.',
      title: 'The file is damaged',
      advice: 'Check that it plays, or export it anew.',
      retry: 'never',
    });
    await system.database.admin`update jobs set error_code = 'toString' where job_id = ${jobId}`;
    expect((await view(jobId)).error).toMatchObject({ code: 'toString', title: 'Something went wrong here' });
  });

  it('is not found where it is somebody else’s, on every route', async () => {
    const jobId = await system.strangersJob();
    const routes = [
      ['GET', ''],
      ['GET', '/result'],
      ['GET', '/events'],
      ['GET', '/transcript.vtt'],
      ['GET', '/findings.csv'],
      ['GET', '/medium'],
      ['GET', '/pictures/s1.webp'],
      ['POST', '/cancel'],
      ['POST', '/retry'],
      ['POST', '/confirm'],
      ['DELETE', ''],
    ] as const;
    for (const [method, rest] of routes) {
      const { status, body } = await system.api(method, `/${jobId}${rest}`);
      expect([status, body.code], `${method} ${rest}`).toEqual([404, 'not_found']);
    }
    const [row] = await system.core.sql`select state from jobs where job_id = ${jobId}`;
    expect(row!.state).toBe('queued');
    expect((await system.api('GET', `/${newId()}`)).status).toBe(404);
    expect((await system.api('GET', '/not-an-id')).status).toBe(400);
  });
});

describe('the events of a job', () => {
  it('come oldest first, in pages, and go on after the last that is known', async () => {
    const jobId = await system.uploadedJob();
    await system.api('POST', `/${jobId}/cancel`);
    await system.api('POST', `/${jobId}/retry`);
    const events = (query: Record<string, string>) => system.api('GET', `/${jobId}/events`, { query });
    const all = (await events({})).body;
    expect(all.events.map((event: { type: string }) => event.type)).toEqual([
      'job.queued',
      'job.canceled',
      'job.queued',
    ]);
    expect(all.nextCursor).toBeNull();
    const page = (await events({ limit: '2' })).body;
    expect(page.events).toEqual(all.events.slice(0, 2));
    const rest = (await events({ cursor: page.nextCursor })).body;
    expect(rest.events).toEqual(all.events.slice(2));
    expect((await events({ cursor: String(all.events[2].eventId) })).body.events).toEqual([]);
    expect((await events({ cursor: '-1' })).status).toBe(400);
  });
});
