import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { cancelJob } from '../../functions/core/jobs/cancel.ts';
import { retryJob } from '../../functions/core/jobs/retry.ts';
import { settleJobs } from '../../functions/core/jobs/settle.ts';
import { buildDocument } from '../../functions/core/results/document.ts';
import { mediaArrived } from '../../functions/core/submit/arrival.ts';
import { runReport, segment } from '../jobs/rows.ts';
import * as media from './media-files.ts';
import { type Intake, jobIn, put, startIntake } from './start-intake.ts';

let intake: Intake;
let film: Buffer;
beforeAll(async () => {
  intake = await startIntake();
});
afterAll(() => intake?.stop());
afterEach(() => {
  intake.losesEvents = false;
});
let made = 0;
beforeEach(async () => {
  film = await media.mp4({ width: 320, height: 240, seconds: 2 + made++ });
});

async function submitted(body: object = {}, bytes = film): Promise<string> {
  const answer = await intake.call('/', { name: 'film.mp4', analyses: ['transcribe', 'scenes'], ...body });
  const [job] = answer.body.jobs;
  await put(job.upload, bytes);
  await jobIn(intake.core, job.jobId, 'queued', 'succeeded');
  return job.jobId;
}

const models = (sha256: string) => [{ id: 'm', version: '1', sha256, licence: 'MIT', note: null }];
const reportOf = (analyzers: Parameters<typeof runReport>[0], worker = 'test') => ({
  ...runReport(analyzers.map((one) => ({ models: models('a'), ...one }))),
  worker,
  medium: {
    ...{ kind: 'video' as const, container: 'mp4', durationMs: 2345, width: 320, height: 240, fps: 25 },
    ...{ rotation: 0, streams: [], bitRate: null, tags: {}, exif: null, sha256: null },
  },
});

/** What a worker does to a queued job, without one: saves rows and ends it. */
async function analysed(jobId: string, run = reportOf([{ name: 'transcribe' }, { name: 'scenes' }])) {
  const { sql, bucket } = intake.core;
  const names = run.analyzers.map((one) => one.name);
  const rows: Record<string, object[]> = {
    transcribe: [segment('good morning', 0)],
    scenes: [
      {
        ...{ kind: 'scene', sceneId: 's1', startMs: 0, endMs: 2000, score: null, keyframeMs: 0 },
        thumbnail: 'scenes/s1.webp',
      },
    ],
  };
  for (const name of names)
    await sql`select save_rows(${jobId}, ${name}, 0, 2000, 1, ${sql.json(rows[name] as never)})`;
  if (names.includes('scenes'))
    await bucket.write(`results/${jobId}/scenes/s1.webp`, Buffer.from('picture'), 'image/webp');
  await sql.begin(async (tx) => {
    const [instance] = await tx<{ instanceId: string }[]>`
      insert into instances (instance_id, label, provider, state, offer, price_microdollars_per_hour, deadline_at)
      values (${jobId}, ${`aima-tests0-${jobId}`}, 'local', 'requested', '{}', 0, now() + interval '1 hour') returning instance_id`;
    await tx`update jobs set state = 'assigned', instance_id = ${instance!.instanceId} where job_id = ${jobId}`;
    await tx`update jobs set state = 'running', attempt = attempt + 1 where job_id = ${jobId}`;
    await tx`update jobs set state = 'succeeded', instance_id = null, run = ${tx.json(run as never)} where job_id = ${jobId}`;
  });
  await settleJobs(intake.core, { jobId });
  return jobId;
}

const rowOf = async (jobId: string) => {
  const [row] = await intake.core.sql`
    select j.*, analyses_left(j) as analyses_left, m.duration_ms from jobs j join media m using (media_id) where job_id = ${jobId}`;
  return row!;
};
const isThere = async (key: string) => (await intake.core.bucket.stat(key)) !== null;

describe('the same content', () => {
  test('is not analysed again: the job succeeds at once, with the whole result and at no cost', async () => {
    const first = await analysed(await submitted());
    const second = await submitted({ name: 'copy.mp4' });
    const row = await rowOf(second);
    expect(row).toMatchObject({ state: 'succeeded', attempt: 0, costMicrodollars: 0, progress: 1 });
    expect(row.durationMs).toBe(2345);
    await expect.poll(async () => (await rowOf(second)).settledAt).toBeInstanceOf(Date);
    const [before, after] = await Promise.all(
      [first, second].map((id) => buildDocument(intake.core.sql, id)),
    );
    expect(after).toMatchObject({
      status: 'complete',
      transcript: before!.transcript,
      scenes: before!.scenes,
    });
    expect(after!.run!.analyzers.map(({ name, reusedFrom }) => [name, reusedFrom])).toEqual([
      ['transcribe', first],
      ['scenes', first],
    ]);
    expect(await isThere(`results/${second}/scenes/s1.webp`)).toBe(true);
    const events = await intake.core.sql`select type from events where job_id = ${second} order by event_id`;
    expect(events.map((event) => event.type)).toEqual(['job.awaiting_upload', 'job.succeeded']);
    // And from the copy, when the first is gone; what is current another film has told.
    await analysed(await submitted({}, await media.mp4({ seconds: 50 })));
    await intake.core.sql`delete from jobs where job_id = ${first}`;
    const third = await submitted();
    expect((await buildDocument(intake.core.sql, third)).run!.analyzers[0]!.reusedFrom).toBe(second);
  });

  test('has only the rest analysed where more is asked for', async () => {
    await analysed(await submitted({ analyses: ['transcribe'] }), reportOf([{ name: 'transcribe' }]));
    const second = await submitted({ analyses: ['metadata', 'transcribe', 'scenes'] });
    expect(await rowOf(second)).toMatchObject({
      state: 'queued',
      analyses: ['metadata', 'transcribe', 'scenes'],
      analysesLeft: ['scenes'],
      run: null,
    });
    await analysed(second, reportOf([{ name: 'scenes' }], 'later'));
    const result = await buildDocument(intake.core.sql, second);
    expect(result).toMatchObject({ status: 'complete', run: { worker: 'later' } });
    expect(result.transcript!.segments).toHaveLength(1);
    expect(result.scenes).toHaveLength(1);
  });

  test('is analysed anew where somebody wants that, or a model has changed, or the options', async () => {
    await analysed(await submitted());
    expect(await rowOf(await submitted({ reuse: false }))).toMatchObject({ state: 'queued', reused: [] });
    expect(await rowOf(await submitted({ language: 'de' }))).toMatchObject({ state: 'queued', reused: [] });
    const other = await media.mp4({ seconds: 40 });
    const run = reportOf([{ name: 'transcribe', models: models('b') }, { name: 'scenes' }]);
    await analysed(await submitted({}, other), run);
    expect(await rowOf(await submitted())).toMatchObject({ state: 'queued', analysesLeft: ['transcribe'] });
  });

  test('of somebody else is not used', async () => {
    const { sql } = intake.core;
    const first = await analysed(await submitted());
    const stranger = first.replace(/^./, '7');
    await sql`insert into users (user_id, name) values (${stranger}, ${stranger})`;
    await sql`update jobs set user_id = ${stranger} where job_id = ${first}`;
    expect((await rowOf(await submitted())).state).toBe('queued');
  });

  test('is begun anew after a retry from scratch', async () => {
    await analysed(await submitted({ analyses: ['transcribe'] }), reportOf([{ name: 'transcribe' }]));
    const second = await submitted();
    await cancelJob(intake.core, '0'.repeat(26), second);
    await retryJob(intake.core, '0'.repeat(26), second);
    expect((await rowOf(second)).analysesLeft).toEqual(['scenes']);
    await cancelJob(intake.core, '0'.repeat(26), second);
    await retryJob(intake.core, '0'.repeat(26), second, { fromScratch: true });
    expect((await rowOf(second)).analysesLeft).toEqual(['transcribe', 'scenes']);
  });
});

describe('taking over', () => {
  /** A job whose file is there and whose event is lost. */
  async function waiting(): Promise<{ jobId: string; key: string }> {
    intake.losesEvents = true;
    const [job] = (await intake.call('/', { name: 'film.mp4', analyses: ['transcribe', 'scenes'] })).body
      .jobs;
    await put(job.upload, film);
    const [row] = await intake.core.sql<{ objectKey: string }[]>`
      select object_key from jobs join media using (media_id) where job_id = ${job.jobId}`;
    return { jobId: job.jobId, key: row!.objectKey };
  }

  test('that died half way is done again, and what is gone meanwhile is not in it', async () => {
    const first = await analysed(await submitted());
    const { jobId, key } = await waiting();
    const { sql } = intake.core;
    // What a process leaves that died after copying: rows and what is said of them, and a job that still waits.
    await sql`select save_rows(${jobId}, 'transcribe', 0, 2000, 0, ${sql.json([segment('half', 0)] as never)})`;
    await sql`update jobs set reused = ${sql.json(reportOf([{ name: 'transcribe' }]).analyzers as never)} where job_id = ${jobId}`;
    await sql`delete from jobs where job_id = ${first}`;
    await mediaArrived(intake.core, { key });
    expect(await rowOf(jobId)).toMatchObject({ state: 'queued', reused: [] });
    expect(await sql`select from parts where job_id = ${jobId}`).toHaveLength(0);
  });

  test('that is asked for several times at once happens once', async () => {
    await analysed(await submitted());
    const { jobId, key } = await waiting();
    await Promise.all(Array.from({ length: 6 }, () => mediaArrived(intake.core, { key })));
    expect((await rowOf(jobId)).state).toBe('succeeded');
    const result = await buildDocument(intake.core.sql, jobId);
    expect([result.transcript!.segments.length, result.run!.analyzers.length]).toEqual([1, 2]);
  });
});
