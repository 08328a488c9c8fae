import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { newId } from '../../functions/core/ids.ts';
import { PRESETS } from '../../functions/core/jobs/analyses.ts';
import { mediaArrived } from '../../functions/core/submit/arrival.ts';
import { sweepUploads } from '../../functions/core/submit/sweep.ts';
import { partCount, partSize } from '../../functions/core/submit/upload.ts';
import * as media from './media-files.ts';
import { type Intake, jobIn, put, startIntake } from './start-intake.ts';

let intake: Intake;
beforeAll(async () => {
  intake = await startIntake({ AIMA_MAX_MEDIUM_BYTES: String(200 * 2 ** 20) });
});
afterAll(() => intake?.stop());
afterEach(() => {
  intake.losesEvents = false;
});

const announce = async (body: object) => (await intake.call('/', body)).body.jobs[0];
const eventsOf = (jobId: string) =>
  intake.core.sql<{ type: string }[]>`
  select type from events where job_id = ${jobId} order by event_id`.then((rows) =>
    rows.map((row) => row.type),
  );
const jobsOfKey = (key: string) => intake.core.sql<
  { jobId: string; state: string; name: string; analyses: string[]; errorDetail: string | null }[]
>`
  select job_id, state, m.name, analyses, error_detail from jobs j join media m using (media_id)
  where object_key = ${key} order by job_id`;
/** As if the time of the next look had come. */
const makeDue = () => intake.core.sql`update media set next_look_at = now() where next_look_at is not null`;
const write = (key: string, body: Buffer) =>
  intake.core.bucket.write(key, body, 'application/octet-stream', body.length);

async function jobOfInbox(key: string) {
  for (;;) {
    const [job] = await jobsOfKey(key);
    if (job && job.state !== 'awaiting_upload') return job;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

describe('an upload', () => {
  test('is queued as soon as it is there, with what was found of it', async () => {
    const job = await announce({ name: 'film.mp4' });
    await put(job.upload, await media.mp4({ width: 640, height: 360, seconds: 3 }));
    const row = await jobIn(intake.core, job.jobId, 'queued');
    expect(row).toMatchObject({
      kind: 'video',
      width: 640,
      height: 360,
      durationMs: 3000,
      contentType: 'video/mp4',
    });
    expect(await eventsOf(job.jobId)).toEqual(['job.awaiting_upload', 'job.queued']);
  });

  test.each<[string, string, () => Promise<Buffer>, string, RegExp]>([
    ['an empty file', 'a.mp4', async () => Buffer.alloc(0), 'broken_media', /^The file is empty\.$/],
    ['text named .mp4', 'b.mp4', async () => Buffer.from('not a film\n'), 'unsupported_media', /text file/],
    [
      'half an MP4',
      'c.mp4',
      async () => (await media.endIndexedMp4()).subarray(0, 6000),
      'broken_media',
      /moov/,
    ],
    ['a huge picture', 'd.png', media.hugePicture, 'media_too_large', /at most 100 million/],
  ])('that is %s fails and is settled, before anything is rented', async (_, name, make, code, sentence) => {
    const job = await announce({ name });
    await put(job.upload, await make());
    const row = await jobIn(intake.core, job.jobId, 'failed');
    expect(row.errorCode).toBe(code);
    expect(row.errorDetail).toMatch(sentence);
    await expect
      .poll(
        async () =>
          (await intake.core.sql`select settled_at from jobs where job_id = ${job.jobId}`)[0]!.settledAt,
      )
      .not.toBeNull();
  });

  test('that is larger than allowed fails and does not stay', async () => {
    const job = await announce({ name: 'large.wav' });
    await put(job.upload, Buffer.alloc(200 * 2 ** 20 + 1));
    const row = await jobIn(intake.core, job.jobId, 'failed');
    expect(row.errorCode).toBe('media_too_large');
    expect(await intake.core.bucket.stat(row.objectKey)).toBeNull();
  });

  test('nothing asked can be found in: fails with a sentence; something can: goes on', async () => {
    const mute = await announce({ name: 'a.png', analyses: ['transcribe', 'scenes'] });
    await put(mute.upload, await media.picture());
    const row = await jobIn(intake.core, mute.jobId, 'failed');
    expect(row.errorDetail).toBe(
      'The file is a picture: transcribe, scenes cannot be done with it. Possible are metadata, ocr, faces, objects, moderation, similarity.',
    );
    const mixed = await announce({ name: 'a.png', analyses: ['transcribe', 'ocr'] });
    await put(mixed.upload, await media.picture());
    expect((await jobIn(intake.core, mixed.jobId, 'queued')).analyses).toEqual(['transcribe', 'ocr']);
  });

  test('told of many times, at once and later, is queued once', async () => {
    intake.losesEvents = true;
    const job = await announce({ name: 'a.wav' });
    await put(job.upload, await media.wav());
    const { objectKey } = await jobIn(intake.core, job.jobId, 'awaiting_upload');
    await Promise.all(Array.from({ length: 10 }, () => mediaArrived(intake.core, { key: objectKey })));
    expect(await mediaArrived(intake.core, { key: objectKey })).toBe('known');
    expect(await eventsOf(job.jobId)).toEqual(['job.awaiting_upload', 'job.queued']);
  });

  test('replaced after it was queued changes nothing', async () => {
    const job = await announce({ name: 'a.wav' });
    await put(job.upload, await media.wav(1));
    const before = await jobIn(intake.core, job.jobId, 'queued');
    const delivered = intake.delivered.length;
    await put(job.upload, Buffer.from('text'));
    await expect.poll(() => intake.delivered.length).toBeGreaterThan(delivered);
    expect(await mediaArrived(intake.core, { key: before.objectKey })).toBe('known');
    expect(await jobIn(intake.core, job.jobId, 'queued')).toEqual(before);
  });

  test('of a canceled job, or of none, is left alone', async () => {
    const job = await announce({ name: 'a.wav' });
    await intake.core.sql`update jobs set state = 'canceled' where job_id = ${job.jobId}`;
    await put(job.upload, await media.wav());
    const { objectKey } = await jobIn(intake.core, job.jobId, 'canceled');
    expect(await mediaArrived(intake.core, { key: objectKey })).toBe('known');
    const stray = `uploads/${newId()}/a.wav`;
    await write(stray, await media.wav());
    expect(await mediaArrived(intake.core, { key: stray })).toBe('known');
    expect(await mediaArrived(intake.core, { key: 'uploads/nothing' })).toBe('missing');
    expect(await jobsOfKey(stray)).toEqual([]);
  });
});

describe('events', () => {
  const event = (key: string, extra: object = {}) => ({
    EventName: 's3:ObjectCreated:Put',
    Records: [{ s3: { bucket: { name: 'media' }, object: { key, ...extra } } }],
  });
  const deliver = (body: unknown) => intake.call('/', body, { as: 'connector' });

  test.each<[string, unknown, number]>([
    [
      'of another bucket',
      {
        ...event('inbox/a.wav'),
        Records: [{ s3: { bucket: { name: 'other' }, object: { key: 'inbox/x.wav' } } }],
      },
      204,
    ],
    ['of a removal', { ...event('inbox/x.wav'), EventName: 's3:ObjectRemoved:Delete' }, 204],
    ['of an object that is gone', event('uploads%2Fa%2Fb.wav'), 204],
    ['with a key that is not escaped rightly', event('inbox/%E0%A4%A'), 204],
    ['for jobs that do not exist', { v: 1, jobIds: [newId()] }, 204],
    ['that is none', { hello: 1 }, 400],
    ['of a version to come', { v: 2, jobIds: [newId()] }, 400],
    ['with ids that are none', { v: 1, jobIds: ["'; drop table jobs"] }, 400],
    ['with nothing', undefined, 400],
  ])('%s', async (_, body, status) => {
    expect((await deliver(body === undefined ? Buffer.alloc(0) : body)).status).toBe(status);
  });

  test('a user cannot send one', async () => {
    expect((await intake.call('/', event('inbox/a.wav'))).status).toBe(400);
  });
});

describe('the sweep', () => {
  test('finds an upload whose event was lost', async () => {
    intake.losesEvents = true;
    const job = await announce({ name: 'a.wav' });
    await put(job.upload, await media.wav());
    await sweepUploads(intake.core);
    await jobIn(intake.core, job.jobId, 'awaiting_upload'); // too young: its event may be on its way
    await makeDue();
    await sweepUploads(intake.core);
    await jobIn(intake.core, job.jobId, 'queued');
  });

  test('looks at what nobody uploads more and more rarely, then lets it expire', async () => {
    const job = await announce({ name: 'a.wav' });
    const look = async () => {
      await intake.core.sql`
        update media m set next_look_at = now() from jobs j where j.media_id = m.media_id and job_id = ${job.jobId}`;
      await sweepUploads(intake.core);
      const [row] = await intake.core.sql<{ seconds: number | null }[]>`
        select extract(epoch from next_look_at - now())::int as seconds from media join jobs using (media_id)
        where job_id = ${job.jobId}`;
      return row!.seconds;
    };
    const pauses: number[] = [];
    for (let i = 0; i < 10; i++) pauses.push((await look())!);
    expect(pauses.map((seconds) => Math.round(seconds / 20) * 20)).toEqual([
      20, 40, 80, 160, 320, 640, 1280, 2560, 3600, 3600,
    ]);
    await intake.core.sql`
      update media m set created_at = now() - interval '24 hours' from jobs j
      where j.media_id = m.media_id and job_id = ${job.jobId}`;
    expect(await look()).toBeNull();
    const row = await jobIn(intake.core, job.jobId, 'expired');
    expect(row.errorDetail).toBe('The file was not uploaded in time.');
    expect((await intake.call(`/${job.jobId}/upload`, {})).body).toMatchObject({ code: 'wrong_state' });
  });

  test('takes what came in the last moment', async () => {
    intake.losesEvents = true;
    const job = await announce({ name: 'a.wav' });
    await put(job.upload, await media.wav());
    await intake.core.sql`
      update media m set created_at = now() - interval '25 hours', next_look_at = now() from jobs j
      where j.media_id = m.media_id and job_id = ${job.jobId}`;
    await sweepUploads(intake.core);
    await jobIn(intake.core, job.jobId, 'queued');
  });

  test('several at once do the work once', async () => {
    intake.losesEvents = true;
    const jobs = await Promise.all(Array.from({ length: 10 }, () => announce({ name: 'a.wav' })));
    const sound = await media.wav();
    await Promise.all(jobs.map((job) => put(job.upload, sound)));
    await write('inbox/race.wav', sound);
    await makeDue();
    await Promise.all([sweepUploads(intake.core), sweepUploads(intake.core), sweepUploads(intake.core)]);
    await sweepUploads(intake.core);
    for (const job of jobs) {
      await jobIn(intake.core, job.jobId, 'queued');
      expect(await eventsOf(job.jobId)).toEqual(['job.awaiting_upload', 'job.queued']);
    }
    expect(await jobsOfKey('inbox/race.wav')).toHaveLength(1);
  });
});

describe('the inbox', () => {
  test('makes a job with the default analyses of what is put there', async () => {
    const key = 'inbox/Ferien 2026/Zürich + See.mp4';
    await write(key, await media.mp4());
    expect(await jobOfInbox(key)).toMatchObject({
      ...{ state: 'queued', name: 'Zürich + See.mp4', analyses: PRESETS.default },
    });
  });

  test('makes one job however often it is told', async () => {
    intake.losesEvents = true;
    const key = 'inbox/doubled.wav';
    await write(key, await media.wav());
    await Promise.all(Array.from({ length: 8 }, () => mediaArrived(intake.core, { key })));
    await mediaArrived(intake.core, { key });
    expect(await jobsOfKey(key)).toMatchObject([{ state: 'queued' }]);
  });

  test('makes another job when the content changes, and drops the one that waited', async () => {
    const key = 'inbox/changing.wav';
    await write(key, await media.wav(1));
    const first = await jobOfInbox(key);
    await write(key, await media.wav(2));
    await expect
      .poll(() => jobsOfKey(key))
      .toMatchObject([
        { jobId: first.jobId, state: 'canceled', errorDetail: expect.stringContaining('replaced') },
        { state: 'queued' },
      ]);
    // The same content once more is no news.
    await write(key, await media.wav(2));
    await mediaArrived(intake.core, { key });
    expect(await jobsOfKey(key)).toHaveLength(2);
  });

  test('fails what is no medium, with a sentence', async () => {
    await write('inbox/notes.txt', Buffer.from('Buy milk.'));
    expect(await jobOfInbox('inbox/notes.txt')).toMatchObject({
      state: 'failed',
      errorDetail: expect.stringContaining('text file'),
    });
    await write('inbox/nothing.mp4', Buffer.alloc(0));
    expect(await jobOfInbox('inbox/nothing.mp4')).toMatchObject({
      state: 'failed',
      errorDetail: 'The file is empty.',
    });
  });

  test('leaves folders and hidden files alone', async () => {
    for (const key of ['inbox/folder/', 'inbox/.DS_Store', 'inbox/folder/.hidden.mp4']) {
      await write(key, Buffer.alloc(0));
      await mediaArrived(intake.core, { key });
      expect(await jobsOfKey(key)).toEqual([]);
    }
  });

  test('what an event was lost of is found, also in a full inbox', async () => {
    intake.losesEvents = true;
    const sound = await media.wav();
    const keys = Array.from({ length: 1001 }, (_, i) => `inbox/many/.${String(i).padStart(4, '0')}`);
    for (let i = 0; i < keys.length; i += 50)
      await Promise.all(keys.slice(i, i + 50).map((key) => write(key, Buffer.from('x'))));
    await write('inbox/z last.wav', sound);
    for (let i = 0; i < 3; i++) await sweepUploads(intake.core);
    expect(await jobsOfKey('inbox/z last.wav')).toMatchObject([{ state: 'queued' }]);
    await sweepUploads(intake.core);
    expect(await jobsOfKey('inbox/z last.wav')).toHaveLength(1);
    await intake.core.bucket.removeAll('inbox/many/');
  });
});

describe('an object that is there already', () => {
  test('is looked at in the request itself', async () => {
    intake.losesEvents = true;
    await write('inbox/there.mp4', await media.mp4());
    const { status, body } = await intake.call('/', { key: 'inbox/there.mp4', analyses: ['ocr'] });
    expect(status).toBe(202);
    expect(body.jobs).toMatchObject([{ state: 'queued', name: 'there.mp4' }]);
    expect(body.jobs[0]).not.toHaveProperty('upload');
    // Once more, with other analyses: the same medium, which need not be probed again.
    const again = await intake.call('/', {
      key: 'inbox/there.mp4',
      analyses: ['transcribe', 'ocr'],
      name: 'talk',
    });
    expect(again.body.jobs).toMatchObject([{ state: 'queued' }]);
    const [row] = await intake.core
      .sql`select count(*)::int as n from media where object_key = 'inbox/there.mp4'`;
    expect(row!.n).toBe(1);
    const mute = await intake.call('/', { key: 'inbox/there.mp4', files: undefined, preset: 'everything' });
    expect(mute.body.jobs[0].state).toBe('queued');
  });

  test('that is broken fails in the request itself', async () => {
    intake.losesEvents = true;
    await write('inbox/broken.mp4', (await media.mp4()).subarray(0, 2000));
    const { body } = await intake.call('/', {
      files: [{ key: 'inbox/broken.mp4' }, { key: 'inbox/broken.mp4' }],
    });
    expect(body.jobs).toMatchObject([
      { state: 'failed', error: { code: 'broken_media', detail: expect.stringContaining('too early') } },
      { state: 'failed' },
    ]);
  });

  test('many of them: the rest follow by event', async () => {
    const keys = Array.from({ length: 30 }, (_, i) => `inbox/row/.${i}.png`); // hidden: no jobs by themselves
    const image = await media.picture();
    await Promise.all(keys.map((key) => write(key, image)));
    const { body } = await intake.call('/', { files: keys.map((key) => ({ key })) });
    expect(body.jobs).toHaveLength(30);
    for (const job of body.jobs) await jobIn(intake.core, job.jobId, 'queued');
  });

  test('of an earlier upload', async () => {
    const job = await announce({ name: 'a.mp4', analyses: ['ocr'] });
    await put(job.upload, await media.mp4());
    const { objectKey } = await jobIn(intake.core, job.jobId, 'queued');
    const { body } = await intake.call('/', { key: objectKey, analyses: ['scenes'] });
    expect(body.jobs).toMatchObject([{ state: 'queued' }]);
  });

  test('of somebody else, of nobody, or out of bounds: not found', async () => {
    const other = '2'.repeat(26);
    await intake.core
      .sql`insert into users (user_id, name) values (${other}, 'other') on conflict do nothing`;
    const [batchId, mediaId, jobId] = [newId(), newId(), newId()];
    const key = `uploads/${jobId}/theirs.wav`;
    await intake.core.sql`insert into batches (batch_id, user_id) values (${batchId}, ${other})`;
    await intake.core
      .sql`insert into media (media_id, user_id, object_key, name) values (${mediaId}, ${other}, ${key}, 'theirs')`;
    await intake.core.sql`
      insert into jobs (job_id, user_id, batch_id, media_id, state, analyses)
      values (${jobId}, ${other}, ${batchId}, ${mediaId}, 'awaiting_upload', '{ocr}')`;
    await write(key, await media.wav());
    await write('results/secret.webp', await media.picture());
    for (const wrong of [
      key,
      'inbox/missing.wav',
      'results/secret.webp',
      'inbox/../results/secret.webp',
      '/etc/passwd',
      'inbox/\0',
      '\ud800',
      `uploads/${newId()}/a.wav`,
    ]) {
      expect(await intake.call('/', { key: wrong }), wrong).toMatchObject({
        status: 404,
        body: { code: 'not_found' },
      });
    }
    for (const path of [`/${jobId}/upload`, `/${newId()}/upload`])
      expect((await intake.call(path, {})).status).toBe(404);
    expect((await intake.call('/nonsense/upload', {})).status).toBe(400);
  });
});

describe('a large file', () => {
  const size = 70 * 2 ** 20;

  test('is sent in parts and joined, once', async () => {
    const { body } = await intake.call('/', { name: 'large.wav', sizeBytes: size });
    const [job] = body.jobs;
    const { partSizeBytes, parts, complete } = job.upload.multipart;
    expect(job.upload.url).toBeUndefined();
    expect(parts).toHaveLength(Math.ceil(size / partSizeBytes));
    const file = Buffer.alloc(size);
    (await media.wav()).copy(file);
    const done = await Promise.all(
      parts.map(async ({ partNumber, url }: { partNumber: number; url: string }) => {
        const from = (partNumber - 1) * partSizeBytes;
        const answer = await put({ method: 'PUT', url }, file.subarray(from, from + partSizeBytes));
        return { partNumber, etag: answer.headers.get('etag') };
      }),
    );
    const path = complete.replace('/function/submit-job', '');
    for (const wrong of [done.slice(1), [...done.slice(1), done[1]]]) {
      expect((await intake.call(path, { parts: wrong })).body.detail).toContain('every one of the 5 parts');
    }
    const answer = await intake.call(path, { parts: done.toReversed() });
    expect(answer).toMatchObject({ status: 200, body: { jobId: job.jobId, state: 'queued' } });
    expect(await intake.call(path, { parts: done })).toMatchObject({
      status: 200,
      body: { state: 'queued' },
    });
    expect((await jobIn(intake.core, job.jobId, 'queued')).sizeBytes).toBe(size);
  });

  test('asked for new addresses goes on with the same parts', async () => {
    const { body } = await intake.call('/', { name: 'large.wav', sizeBytes: size });
    const [job] = body.jobs;
    const uploadIdOf = (upload: { multipart: { parts: { url: string }[] } }) =>
      new URL(upload.multipart.parts[0]!.url).searchParams.get('uploadId');
    const renewed = await intake.call(`/${job.jobId}/upload`, {});
    expect(renewed.status).toBe(200);
    expect(uploadIdOf(renewed.body)).toBe(uploadIdOf(job.upload));
  });

  test('joined before with the answer lost', async () => {
    const { body } = await intake.call('/', { name: 'large.wav', sizeBytes: size });
    const [job] = body.jobs;
    intake.losesEvents = true;
    const [{ uploadId, objectKey }] = await intake.core.sql<[{ uploadId: string; objectKey: string }]>`
      select upload_id, object_key from media join jobs using (media_id) where job_id = ${job.jobId}`;
    const etag = await intake.core.bucket.writePart(objectKey, uploadId, 1, await media.wav());
    await intake.core.bucket.finishMultipart(objectKey, uploadId, [{ part: 1, etag }]);
    const parts = Array.from({ length: 5 }, (_, i) => ({ partNumber: i + 1, etag }));
    const answer = await intake.call(`/${job.jobId}/complete`, { parts });
    expect(answer).toMatchObject({ status: 200, body: { state: 'queued' } });
  });

  test('wrong parts, and nothing to join', async () => {
    const large = await announce({ name: 'large.wav', sizeBytes: size });
    const etag = 'd41d8cd98f00b204e9800998ecf8427e';
    const parts = Array.from({ length: 5 }, (_, i) => ({ partNumber: i + 1, etag }));
    expect(await intake.call(`/${large.jobId}/complete`, { parts })).toMatchObject({
      status: 400,
      body: { code: 'bad_request' },
    });
    expect((await intake.call(`/${large.jobId}/complete`, { parts: [] })).status).toBe(400);
    const small = await announce({ name: 'small.wav' });
    expect((await intake.call(`/${small.jobId}/complete`, { parts })).body).toMatchObject({
      code: 'wrong_state',
    });
    expect((await intake.call(`/${newId()}/complete`, { parts })).status).toBe(404);
  });

  test('that is given up leaves no parts behind', async () => {
    const job = await announce({ name: 'large.wav', sizeBytes: size });
    const [{ uploadId, objectKey }] = await intake.core.sql<[{ uploadId: string; objectKey: string }]>`
      select upload_id, object_key from media join jobs using (media_id) where job_id = ${job.jobId}`;
    await intake.core.sql`update jobs set state = 'canceled' where job_id = ${job.jobId}`;
    await makeDue();
    await sweepUploads(intake.core);
    await expect(
      intake.core.bucket.writePart(objectKey, uploadId, 1, Buffer.from('x')),
    ).rejects.toMatchObject({ code: 'NoSuchUpload' });
  });

  test('among very many: addresses for as many as an answer holds, the rest on demand', async () => {
    const files = Array.from({ length: 200 }, (_, i) => ({ name: `${i}.mp4`, sizeBytes: 199 * 2 ** 20 }));
    const { body } = await intake.call('/', { files });
    const withUpload = body.jobs.filter((job: { upload?: object }) => job.upload);
    expect(withUpload).toHaveLength(Math.floor(2000 / 13));
    const without = body.jobs.find((job: { upload?: object }) => !job.upload);
    const renewed = await intake.call(without!.links.upload.replace('/function/submit-job', ''), {});
    expect(renewed.body.multipart.parts).toHaveLength(13);
  });

  test('has at most 1000 parts whatever its size', () => {
    expect(partCount(null)).toBe(1);
    expect(partCount(64 * 2 ** 20)).toBe(1);
    expect(partCount(64 * 2 ** 20 + 1)).toBe(5);
    for (const bytes of [2 ** 30, 17 * 2 ** 30, 50 * 2 ** 30]) {
      expect(partCount(bytes)).toBeLessThanOrEqual(1000);
      expect(partSize(bytes) * partCount(bytes)).toBeGreaterThanOrEqual(bytes);
    }
  });
});
