import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readStack } from '../../infra/embedded/gateway/stack.ts';

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(path.join(tmpdir(), 'stack-'));
});
afterAll(() => rm(dir, { recursive: true }));

let written = 0;
async function read(functions: string, environment: Record<string, string> = {}) {
  written += 1;
  const file = path.join(dir, `${written}.yml`);
  await writeFile(file, `provider: { name: openfaas }\nfunctions:\n${functions}`);
  return readStack(file, environment);
}

describe('a stack file', () => {
  test('gets the environment filled in', async () => {
    // biome-ignore lint/suspicious/noTemplateCurlyInString: it is the file's own syntax
    const text = '  f: { handler: ./f, image: "${REGISTRY:-local}/f:${TAG}-${EMPTY:-default}" }';
    expect((await read(text, { TAG: '7', EMPTY: '' }))[0]!.image).toBe('local/f:7-default');
    expect((await read(text, { REGISTRY: 'r.example' }))[0]!.image).toBe('r.example/f:-default');
  });

  test('may merge and leave things out', async () => {
    const [a, b] = await read(`
  a: { handler: ./a, image: a, environment: &e { exec_timeout: 55s, A: 1 } }
  b: { handler: ./b, image: b, environment: { <<: *e, A: 2 } }`);
    expect(a).toMatchObject({ execTimeoutMs: 55_000, environment: { A: '1' }, secrets: [], annotations: {} });
    expect(b).toMatchObject({ execTimeoutMs: 55_000, environment: { A: '2' } });
    expect(a!.modulePath).toBe(path.join(dir, 'a/handler.ts'));
  });

  test.each([
    ['500ms', 500],
    ['1m30s', 90_000],
    ['0.5s', 500],
  ])('durations: %s', async (text, ms) => {
    const [f] = await read(`  f: { handler: f, image: f, environment: { exec_timeout: ${text} } }`);
    expect(f!.execTimeoutMs).toBe(ms);
  });

  test('without exec_timeout has the 10 s of the template', async () => {
    expect((await read('  f: { handler: f, image: f }'))[0]!.execTimeoutMs).toBe(10_000);
  });

  test.each([
    '  f: { handler: f, image: f, environment: { exec_timeout: soon } }',
    '  F_x: { handler: f, image: f }',
    '  f: { handler: f }',
    '  f: 1',
  ])('is refused: %s', async (text) => {
    await expect(read(text)).rejects.toThrow();
  });
});

describe('stack.yml of this project', () => {
  const file = fileURLToPath(new URL('../../stack.yml', import.meta.url));

  test('names the functions, their events and schedules', async () => {
    const stack = await readStack(file, {});
    expect(Object.fromEntries(stack.map((one) => [one.name, one.annotations]))).toEqual({
      'submit-job': { topic: 'aima/media/uploaded,aima/media/requested', concurrency: '8' },
      orchestrate: {
        topic: 'aima/jobs/queued',
        schedule: '*/30 * * * * *',
        coalesce: 'true',
      },
      'on-complete': { topic: 'aima/leases/+/finished,aima/leases/+/idle', coalesce: 'true' },
      terminate: { topic: 'aima/instances/drained', schedule: '*/30 * * * * *' },
      jobs: {},
    });
  });

  test('keeps every function within the gateway’s 60 s, with raw bodies', async () => {
    for (const one of await readStack(file, {})) {
      expect(one.environment.RAW_BODY).toBe('true');
      expect(one.execTimeoutMs).toBeLessThan(60_000);
      expect(one.secrets).toContain('database-password');
    }
  });
});
