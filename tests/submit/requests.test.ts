import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ownerId } from '../../functions/core/auth/caller.ts';
import { idPattern } from '../../functions/core/ids.ts';
import { addressRules, checkUrl } from '../../functions/core/intake/addresses.ts';
import { PRESETS } from '../../functions/core/jobs/analyses.ts';
import { uploadKey } from '../../functions/core/storage/bucket.ts';
import { SubmitAnswer, SubmitRequest } from '../../functions/core/submit/request.ts';
import { submit } from '../../functions/core/submit/submit.ts';
import { picture } from './media-files.ts';
import { type Intake, jobIn, put, startIntake } from './start-intake.ts';

let intake: Intake;
beforeAll(async () => {
  intake = await startIntake();
});
afterAll(() => intake?.stop());

const countOf = async (table: 'batches' | 'media' | 'jobs') => {
  const [row] = await intake.core.sql<
    { n: number }[]
  >`select count(*)::int as n from ${intake.core.sql(table)}`;
  return row!.n;
};
const jobRow = async (jobId: string) =>
  (await intake.core.sql`select * from jobs where job_id = ${jobId}`)[0]!;

describe('what is answered', () => {
  test('one file in short form: one PUT, and where the job is', async () => {
    const { status, headers, body } = await intake.call('/', { name: 'talk.mp4', contentType: 'video/mp4' });
    expect(status).toBe(202);
    expect(SubmitAnswer.strict().parse(body)).toEqual(body);
    const [job] = body.jobs;
    expect(job.jobId).toMatch(idPattern);
    expect(headers.location).toBe(`/function/jobs/${job.jobId}`);
    expect(job).toMatchObject({
      state: 'awaiting_upload',
      name: 'talk.mp4',
      links: { self: headers.location },
    });
    expect(job.upload).toMatchObject({ method: 'PUT', headers: { 'content-type': 'video/mp4' } });
    expect(Date.parse(job.upload.expiresAt)).toBeGreaterThan(Date.now() + 23 * 3600_000);
    expect(await jobRow(job.jobId)).toMatchObject({
      ...{
        state: 'awaiting_upload',
        analyses: PRESETS.default,
        options: {},
        priority: 0,
      },
      ...{ userId: ownerId, maxCostMicrodollars: null, callbackUrl: null },
    });
  });

  test('several files with everything that can be asked', async () => {
    const { status, headers, body } = await intake.call('/', {
      files: [{ name: 'b.png' }, { name: 'a.png' }, { name: 'a.png' }],
      ...{
        analyses: ['faces', 'ocr', 'faces'],
        language: 'de-CH',
        context: 'Line one\nZürich',
        priority: -10,
      },
      ...{ maxCostMicrodollars: 250_000, callbackUrl: 'https://example.com/hook?a=1' },
      deadlineAt: '2026-02-03T04:05:06+01:00',
    });
    expect(status).toBe(202);
    expect(headers.location).toBe(`/function/jobs?batchId=${body.batchId}`);
    expect(body.jobs.map((job: { name: string }) => job.name)).toEqual(['b.png', 'a.png', 'a.png']);
    expect(new Set(body.jobs.map((job: { upload: { url: string } }) => job.upload.url)).size).toBe(3);
    expect(await jobRow(body.jobs[2]!.jobId)).toMatchObject({
      ...{
        batchId: body.batchId,
        analyses: ['faces', 'ocr'],
        options: { language: 'de-CH', context: 'Line one\nZürich' },
      },
      ...{ priority: -10, maxCostMicrodollars: 250_000, callbackUrl: 'https://example.com/hook?a=1' },
      deadlineAt: new Date('2026-02-03T03:05:06Z'),
    });
  });

  test('faces only where somebody asked for them', async () => {
    const of = async (body: object) =>
      (await jobRow((await intake.call('/', { name: 'x', ...body })).body.jobs[0].jobId)).analyses;
    expect(await of({})).not.toContain('faces');
    expect(await of({ preset: 'default' })).not.toContain('faces');
    expect(await of({ preset: 'everything' })).toContain('faces');
    expect(await of({ preset: 'metadata' })).toEqual(['metadata']);
  });

  test('500 files at once', async () => {
    const files = Array.from({ length: 500 }, (_, i) => ({ name: `${i}.jpg` }));
    const { status, body } = await intake.call('/', { files });
    expect(status).toBe(202);
    expect(body.jobs.map((job: { name: string }) => job.name)).toEqual(files.map((file) => file.name));
    expect(body.jobs.every((job: { upload?: object }) => job.upload)).toBe(true);
  });
});

describe('what is refused, without leaving anything', () => {
  const file = { name: 'x.mp4' };
  test.each<[string, unknown]>([
    ['nothing', {}],
    ['no object', [1]],
    ['null', null],
    ['no files', { files: [] }],
    ['too many files', { files: Array.from({ length: 501 }, () => file) }],
    ['files of a wrong type', { files: 'x.mp4' }],
    ['a file of a wrong type', { files: ['x.mp4'] }],
    ['a name of a wrong type', { name: 7 }],
    ['an empty name', { name: '' }],
    ['a name that is too long', { name: 'x'.repeat(1001) }],
    ['an unknown member', { ...file, analysis: ['ocr'] }],
    ['an unknown member of a file', { files: [{ ...file, sizebytes: 3 }] }],
    ['files and a file', { ...file, files: [file] }],
    ['a key and a url', { key: 'inbox/a', url: 'https://example.com/a' }],
    ['an unknown analysis', { ...file, analyses: ['smell'] }],
    ['no analysis', { ...file, analyses: [] }],
    ['analyses and a preset', { ...file, analyses: ['ocr'], preset: 'default' }],
    ['an inherited property as preset', { ...file, preset: 'constructor' }],
    ['a negative size', { ...file, sizeBytes: -1 }],
    ['half a byte', { ...file, sizeBytes: 0.5 }],
    ['a priority out of range', { ...file, priority: 11 }],
    ['a priority as text', { ...file, priority: '1' }],
    ['no money', { ...file, maxCostMicrodollars: 0 }],
    ['a deadline that is no time', { ...file, deadlineAt: 'tomorrow' }],
    ['a deadline in the year 0', { ...file, deadlineAt: '0000-01-01T00:00:00Z' }],
    ['a deadline after all calendars', { ...file, deadlineAt: '9999-12-31T23:59:59-12:00' }],
    ['a context that is too long', { ...file, context: 'x'.repeat(4001) }],
    ['a language that is none', { ...file, language: "en'; drop table jobs" }],
    ['a content type with a line break', { ...file, contentType: 'video/mp4\r\nx: y' }],
    ['not JSON', Buffer.from('{"name":')],
    ['not UTF-8', Buffer.from([0x7b, 0xff, 0x7d])],
  ])('%s', async (_, body) => {
    const before = await countOf('batches');
    const answer = await intake.call('/', body);
    expect(answer.status).toBe(400);
    expect(answer.body).toMatchObject({ code: 'bad_request', retry: 'never' });
    expect(await countOf('batches')).toBe(before);
  });

  test('a body of more than a megabyte', async () => {
    const answer = await intake.call('/', { name: 'x', context: 'y'.repeat(2 ** 20) });
    expect(answer).toMatchObject({ status: 413, body: { code: 'payload_too_large' } });
  });

  test('a file larger than this installation takes', async () => {
    const answer = await intake.call('/', { name: 'x.mp4', sizeBytes: 50 * 2 ** 30 + 1 });
    expect(answer).toMatchObject({ status: 413, body: { code: 'media_too_large' } });
  });

  test('whoever has no token, and the connector as a user', async () => {
    expect((await intake.call('/', { name: 'x' }, { as: 'nobody' })).status).toBe(401);
    expect((await intake.call('/', { name: 'x' }, { as: 'connector' })).status).toBe(400);
    const made = await intake.call('/', { name: 'x' });
    const path = `/${made.body.jobs[0].jobId}/upload`;
    expect((await intake.call(path, {}, { as: 'connector' })).status).toBe(403);
  });

  test.each([
    'http://example.com/a.mp4',
    'ftp://example.com/a.mp4',
    'file:///etc/passwd',
    'no address',
    'https://user:word@example.com/a.mp4',
    'https://127.0.0.1/a.mp4',
    'https://2130706433/a.mp4',
    'https://0x7f.1/a.mp4',
    'https://10.1.2.3/a.mp4',
    'https://169.254.169.254/latest/meta-data/',
    'https://[::1]/a.mp4',
    'https://[::ffff:127.0.0.1]/a.mp4',
    'https://[fd00::1]/a.mp4',
    'https://[2002:7f00:1::]/a.mp4',
  ])('the address %s, to fetch from and to call back', async (url) => {
    for (const body of [{ url }, { name: 'x', callbackUrl: url }]) {
      expect(await intake.call('/', body)).toMatchObject({ status: 422, body: { code: 'url_not_allowed' } });
    }
  });
});

describe('names are what people call a file, and nothing else', () => {
  test.each([
    ['../../../etc/passwd', '../../../etc/passwd', 'passwd'],
    ['..\\..\\boot.ini', '..\\..\\boot.ini', 'boot.ini'],
    ['..', '..', 'medium'],
    ['a\0b.mp4', 'a b.mp4', 'a_b.mp4'],
    ['\0', 'medium', 'medium'],
    ['line\r\nbreak.mp4', 'line break.mp4', 'line_break.mp4'],
    [
      'Grüße aus München – 日本語 😀.mp4',
      'Grüße aus München – 日本語 😀.mp4',
      'Grüße_aus_München_日本語_.mp4',
    ],
    ['half a \ud83d surrogate', 'half a \ufffd surrogate', 'half_a_surrogate'],
    [`${'x'.repeat(996)}.mp4`, `${'x'.repeat(996)}.mp4`, `${'x'.repeat(116)}.mp4`],
    [`${'𝐀'.repeat(400)}.mp`, `${'𝐀'.repeat(400)}.mp`, `${'𝐀'.repeat(117)}.mp`],
    ['?a=1&b=%2e%2e%2f#c', '?a=1&b=%2e%2e%2f#c', '_a_1_b_2e_2e_2f_c'],
  ])('%j', async (name, kept, inKey) => {
    const { body } = await intake.call('/', { name });
    const [job] = body.jobs;
    expect(job.name).toBe(kept);
    expect(uploadKey('id', kept)).toBe(`uploads/id/${inKey}`);
    await put(job.upload, await picture());
    expect((await jobIn(intake.core, job.jobId, 'queued')).objectKey).toBe(`uploads/${job.jobId}/${inKey}`);
  });

  test('a context may hold what Postgres cannot', async () => {
    const { status, body } = await intake.call('/', { name: 'x', context: 'a\0b\ud800c\n\td' });
    expect(status).toBe(202);
    expect((await jobRow(body.jobs[0].jobId)).options).toEqual({ context: 'a b\ufffdc\n\td' });
  });
});

describe('Idempotency-Key', () => {
  const keyed = (key: string, body: unknown) =>
    intake.call('/', body, { headers: { 'idempotency-key': key } });
  const idsOf = ({ body }: { body: { batchId: string; jobs: { jobId: string }[] } }) => [
    body.batchId,
    ...body.jobs.map((job) => job.jobId),
  ];

  test('the same request again: the same jobs, addresses that work', async () => {
    const files = [{ name: 'b.png' }, { name: 'a.png' }];
    const first = await keyed('once', { files, priority: 3 });
    const again = await keyed('once', { priority: 3, files });
    expect(again.status).toBe(202);
    expect(idsOf(again)).toEqual(idsOf(first));
    expect(again.headers.location).toBe(first.headers.location);
    await put(again.body.jobs[0].upload, await picture());
    await jobIn(intake.core, first.body.jobs[0].jobId, 'queued');
    const later = await keyed('once', { files, priority: 3 });
    expect(later.body.jobs.map((job: { state: string }) => job.state)).toEqual(['queued', 'awaiting_upload']);
    expect(later.body.jobs[0].upload).toBeUndefined();
  });

  test('another request: refused', async () => {
    await keyed('taken', { name: 'a' });
    expect(await keyed('taken', { name: 'b' })).toMatchObject({
      status: 409,
      body: { code: 'idempotency_conflict' },
    });
  });

  test('twenty at the same moment make one batch', async () => {
    const before = await countOf('jobs');
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => keyed('race', { files: [{ name: 'a' }, { name: 'b' }] })),
    );
    expect(answers.map((answer) => answer.status)).toEqual(Array(20).fill(202));
    expect(new Set(answers.map((answer) => idsOf(answer).join())).size).toBe(1);
    expect(await countOf('jobs')).toBe(before + 2);
  });

  test('two different ones at the same moment: one of them is refused', async () => {
    const answers = await Promise.all([keyed('duel', { name: 'a' }), keyed('duel', { name: 'b' })]);
    expect(answers.map((answer) => answer.status).sort()).toEqual([202, 409]);
  });

  test('keys belong to their user', async () => {
    await intake.core.sql`insert into users (user_id, name) values (${'1'.repeat(26)}, 'somebody')`;
    const request = SubmitRequest.parse({ name: 'a' });
    const own = await submit(intake.core, ownerId, request, 'shared');
    const other = await submit(intake.core, '1'.repeat(26), request, 'shared');
    expect(other.batchId).not.toBe(own.batchId);
  });

  test('a key that is too long, or has spaces', async () => {
    expect((await keyed('x'.repeat(201), { name: 'a' })).status).toBe(400);
    expect((await keyed('a b', { name: 'a' })).status).toBe(400);
    expect((await keyed('x'.repeat(200), { name: 'a' })).status).toBe(202);
  });
});

test('with private addresses allowed, http and loopback are', () => {
  const rules = addressRules({ ...intake.core.config, AIMA_ALLOW_PRIVATE_ADDRESSES: true });
  expect(checkUrl('http://127.0.0.1:8080/a', rules).port).toBe('8080');
  expect(() => checkUrl('file:///etc/passwd', rules)).toThrow('https');
});
