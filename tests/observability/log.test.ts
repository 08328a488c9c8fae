/** One JSON object a line, with the ids of the call wherever in the core it is written, and no secret in any. */
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { defineFunction } from '../../functions/core/http/function.ts';
import { route } from '../../functions/core/http/route.ts';
import { createLog, log, withLogFields, withoutSecrets } from '../../functions/core/log.ts';
import { consoleText } from '../../infra/embedded/supervisor/console-line.ts';
import { call } from '../http/call.ts';

function captured() {
  const lines: string[] = [];
  for (const method of ['log', 'warn', 'error'] as const)
    vi.spyOn(console, method).mockImplementation((line: string) => void lines.push(line));
  return { lines, last: () => JSON.parse(lines.at(-1)!) };
}
afterEach(() => vi.restoreAllMocks());

describe('a line', () => {
  it('has time, level, message and what is known of the call, also deep inside it and after it', async () => {
    const { last } = captured();
    const deep = async () => log.warn('a lease is looked at again', { instanceId: 'i' });
    await withLogFields({ function: 'terminate', callId: 'c' }, () => withLogFields({ jobId: 'j' }, deep));
    expect(last()).toEqual({
      at: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
      level: 'warn',
      message: 'a lease is looked at again',
      function: 'terminate',
      callId: 'c',
      jobId: 'j',
      instanceId: 'i',
    });
    log.info('outside');
    expect(last()).not.toHaveProperty('callId');
  });

  it('of a call has the id that the caller gave, in the core as in the route', async () => {
    const { lines } = captured();
    const handler = defineFunction({
      name: 'test',
      authenticate: () => ({ kind: 'connector' }),
      routes: [
        route('POST', '/', {
          caller: 'connector',
          summary: 'x',
          responses: { 204: { description: 'x' } },
          handle({ log: own }) {
            own.info('in the route');
            log.info('in the core');
          },
        }),
      ],
    });
    await call(handler, 'POST', '/', { headers: { 'x-call-id': 'from-the-connector' } });
    expect(lines.map((line) => JSON.parse(line))).toMatchObject([
      { message: 'in the route', function: 'test', callId: 'from-the-connector' },
      { message: 'in the core', function: 'test', callId: 'from-the-connector' },
    ]);
  });

  it('tells an error with its causes, and never fails for what is no JSON', () => {
    const { last, lines } = captured();
    const error = new Error('outer', { cause: new Error('inner') });
    log.error('it failed', { error, big: 10n });
    expect(last()).toMatchObject({
      error: expect.stringMatching(/outer[\s\S]*caused by: [\s\S]*inner/),
      big: '10',
    });
    const round: Record<string, unknown> = {};
    round.self = round;
    createLog({ function: 'f' }).error('it failed', { round });
    expect(last()).toMatchObject({ level: 'error', message: 'it failed', function: 'f' });
    for (const line of lines) expect(line).not.toContain('\n');
  });
});

describe('what could open something', () => {
  it.each([
    ['Authorization: Bearer abcdefgh-ijkl.mnop', 'abcdefgh'],
    ['basic YWRtaW46c2VjcmV0', 'YWRtaW46'],
    ['postgres://aima_worker_1:pass-word@127.0.0.1:5432/aima', 'pass-word'],
    ['smtps://me:p%20w@mail.example.org', 'p%20w'],
    ['http://127.0.0.1/media/a?X-Amz-Credential=AKIA%2F2026&X-Amz-Signature=0123abcd', 'AKIA'],
    ['http://127.0.0.1/media/a?X-Amz-Credential=AKIA%2F2026&X-Amz-Signature=0123abcd', '0123abcd'],
    ['POST /function/terminate/serverless/01arz3ndektsv4rrffq69g5fav/tok-en_of_43 - 200', 'tok-en_of_43'],
  ])('is taken out of %s', (text, secret) => {
    expect(withoutSecrets(JSON.stringify({ text }))).not.toContain(secret);
    expect(() => JSON.parse(withoutSecrets(JSON.stringify({ text })))).not.toThrow();
  });

  it.each([
    'a provider makes no offers now',
    'http://127.0.0.1:9000/media: it answered 503',
    'mqtt://127.0.0.1:1883',
    '2026-01-01T00:00:00.000Z at file:///srv/functions/core/log.ts:12:20',
    'the bearer of bad news',
  ])('leaves alone: %s', (text) => {
    expect(withoutSecrets(text)).toBe(text);
  });
});

it('people in front of a terminal see what it is about', () => {
  const line = JSON.stringify({
    at: '2026-01-01T00:00:00.000Z',
    level: 'error',
    message: 'a step of the sweep failed',
    function: 'terminate',
    callId: 'c',
    step: 'billing',
    error: 'Error: no\n    at x',
  });
  expect(consoleText('functions', line, 'stderr', false)).toBe(
    'a step of the sweep failed (function terminate, step billing, error Error: no)',
  );
});

it('nothing in the core speaks past the log', () => {
  const root = join(import.meta.dirname, '..', '..');
  const files = globSync('functions/**/*.ts', { cwd: root });
  expect(files.length).toBeGreaterThan(150);
  const speakers = files.filter((file) =>
    /\bconsole\.\w+\(|process\.std(out|err)/.test(readFileSync(join(root, file), 'utf8')),
  );
  expect(speakers).toEqual(['functions/core/log.ts']);
});
