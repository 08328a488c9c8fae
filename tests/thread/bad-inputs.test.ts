/** Bad input fails with a sentence that says what is wrong, and rents nothing. */
import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type TestMedia, testMedia } from '../media/test-media.ts';
import { type Client, startClient } from './client.ts';

let client: Client;
let media: TestMedia;
beforeAll(async () => {
  [media, client] = await Promise.all([testMedia(), startClient({ models: false })]);
}, 400_000);
afterAll(() => client?.remove());

async function rented(): Promise<number> {
  return (await client.sql`select from instances`).length;
}

describe('a medium that cannot be analysed', () => {
  it.each([
    ['empty', 'broken_media', /empty/i],
    ['textNamedMp4', 'unsupported_media', /not|cannot/i],
    ['playlist', 'unsupported_media', /not|cannot/i],
    ['truncatedIndexLast', 'broken_media', /moov|index|ends/i],
    ['tooLargePng', 'media_too_large', /pixel/i],
  ] as const)('%s fails with %s before anything is rented', async (name, code, sentence) => {
    const { jobs } = await client.submit({ name: media[name].split('/').pop() });
    await client.put(jobs[0]!.upload!.url!, Uint8Array.from(await readFile(media[name])));
    const job = await client.finished(jobs[0]!.jobId);
    expect(job).toMatchObject({ state: 'failed', error: { code } });
    expect(job.error!.detail).toMatch(sentence);
    expect(await rented()).toBe(0);
  });
});

describe('a request that is wrong', () => {
  it.each([
    ['no JSON', '{', 400],
    ['the wrong types', { name: 5, analyses: 'ocr' }, 400],
    ['an analysis nobody wrote', { name: 'a.mp4', analyses: ['horoscope'] }, 400],
    ['more than is read', { name: 'a.mp4', context: 'x'.repeat(3 << 20) }, 413],
    ['nothing at all', {}, 400],
  ])('with %s is answered with a problem', async (_, body, status) => {
    const answer = await client.call('POST', 'submit-job', body);
    expect(answer.status).toBe(status);
    expect(answer.headers.get('content-type')).toBe('application/problem+json');
    expect(await answer.json()).toMatchObject({
      status,
      code: expect.any(String),
      advice: expect.any(String),
    });
  });

  it.each(['submit-job', 'jobs', 'orchestrate', 'on-complete', 'terminate'])(
    '%s asks for a token',
    async (name) => {
      for (const token of ['', 'wrong', 'x'.repeat(9000)]) {
        const answer = await client.call(
          name === 'jobs' ? 'GET' : 'POST',
          name,
          name === 'jobs' ? undefined : {},
          token,
        );
        expect(answer.status).toBeGreaterThanOrEqual(400);
        expect(answer.status).toBeLessThan(500);
      }
    },
  );

  it('of the connector’s token opens nothing that is a user’s', async () => {
    const token = await client.stack.secret('connector-token');
    expect((await client.call('GET', 'jobs', undefined, token)).status).toBe(403);
  });

  it('names files as it likes: a name is never a path', async () => {
    for (const name of [
      '../../../etc/passwd',
      '/etc/passwd',
      'a\u0000b',
      '..',
      '.',
      'x'.repeat(900),
      '💥/💥.mp4',
      "'; drop table jobs; --",
    ]) {
      const { jobs } = await client.submit({ name });
      const url = new URL(jobs[0]!.upload!.url!);
      expect(url.pathname).toMatch(new RegExp(`^/media/uploads/${jobs[0]!.jobId}/[^/]+$`));
      expect(decodeURIComponent(url.pathname)).not.toMatch(/\.\.\//);
      await client.put(url.href, new TextEncoder().encode('x'));
    }
  });
});

it('secrets stand in no log and in no listing', async () => {
  const names = [
    'api-token',
    'connector-token',
    'database-password',
    'postgres-password',
    's3-secret-key',
    'mqtt-functions-password',
    'lease-key',
    'webhook-secret',
  ];
  const values = await Promise.all(names.map((name) => client.stack.secret(name)));
  const { readdir } = await import('node:fs/promises');
  const logs = `${client.stack.dataDir}/logs`;
  const files = (await readdir(logs, { recursive: true, withFileTypes: true })).filter((file) =>
    file.isFile(),
  );
  expect(files.length).toBeGreaterThan(0);
  const texts = await Promise.all(files.map((file) => readFile(`${file.parentPath}/${file.name}`, 'utf8')));
  const basic = Buffer.from(`admin:${await client.stack.secret('basic-auth-password')}`).toString('base64');
  const listing = await fetch(`${client.stack.gatewayUrl}/system/functions`, {
    headers: { authorization: `Basic ${basic}` },
  });
  expect(listing.status).toBe(200);
  texts.push(await listing.text());
  for (const value of values) for (const text of texts) expect(text).not.toContain(value);
});
