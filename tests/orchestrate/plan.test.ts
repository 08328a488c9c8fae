import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import orchestrate from '../../functions/orchestrate/handler.ts';
import { call } from '../http/call.ts';
import { openApiChecker } from '../jobs/openapi-checker.ts';
import { apiToken, type Stage, startStage } from '../planner/stage.ts';

// biome-ignore lint/suspicious/noExplicitAny: JSON as a client sees it
type Json = any;

let stage: Stage;
let checkAnswer: Awaited<ReturnType<typeof openApiChecker>>;
beforeAll(async () => {
  vi.spyOn(console, 'error').mockImplementation(() => {});
  stage = await startStage();
  checkAnswer = await openApiChecker();
});
afterAll(() => stage.stop());
beforeEach(() => stage.clear());

async function post(path: string, body: unknown, token: string | null = apiToken) {
  const headers = {
    'content-type': 'application/json',
    ...(token === null ? {} : { authorization: `Bearer ${token}` }),
  };
  const {
    status,
    headers: answered,
    json,
  } = await call(orchestrate, 'POST', path, {
    body: JSON.stringify(body),
    headers,
  });
  const answer = { status, headers: answered, body: json() as Json };
  checkAnswer('POST', `/function/orchestrate${path.replace(/\/$/, '')}`, answer);
  return answer;
}

describe('a dry run', () => {
  it('lists the places of each job, best first, and why the others were rejected', async () => {
    const jobId = await stage.queue();
    const { status, body } = await post('/', { dryRun: true });
    expect(status).toBe(200);
    expect(body.actions).toMatchObject([{ type: 'rent', jobs: [{ jobId }] }]);
    const [job] = body.considered.jobs;
    expect(job.jobId).toBe(jobId);
    const allowed = job.places.filter((place: { rejectedBecause: null }) => place.rejectedBecause === null);
    expect(allowed.length).toBeGreaterThan(3);
    const rejected = job.places.slice(allowed.length);
    for (const { rejectedBecause } of rejected) expect(rejectedBecause).toMatch(/./);
    expect(body.considered.rejectedOffers[0].because).toMatch(/is more than the/);
    expect(stage.simulator.market.alive()).toHaveLength(0);
    const [row] = await stage.sql`select state, quote from jobs where job_id = ${jobId}`;
    expect(row).toEqual({ state: 'queued', quote: null });
  });

  it('with nothing in the queue tells what would be rejected all the same', async () => {
    const { body } = await post('/', { dryRun: true });
    expect(body.actions).toEqual([]);
    expect(body.considered.jobs).toEqual([]);
    expect(body.considered.rejectedOffers.length).toBeGreaterThan(0);
  });
});

it('a dry run that is misspelt rents nothing', async () => {
  await stage.queue();
  expect((await post('/', { dryrun: true })).status).toBe(400);
  expect(stage.simulator.market.alive()).toHaveLength(0);
});

it('a look on request does what it decides', async () => {
  await stage.queue();
  const { body } = await post('/', {});
  expect(body.actions).toMatchObject([{ type: 'rent', offer: { provider: 'runpod-pods' } }]);
  expect(body.considered).toBeUndefined();
  expect(stage.simulator.market.alive()).toHaveLength(1);
});

describe('a quote', () => {
  it('is told before anything is uploaded', async () => {
    const film = { preset: 'default', kind: 'video', durationMs: 7_200_000, sizeBytes: 2_000_000_000 };
    const { status, body } = await post('/quote', film);
    expect(status).toBe(200);
    expect(body.quote.maxMicrodollars).toBeGreaterThan(body.quote.minMicrodollars);
    const hurried = await post('/quote', { ...film, deadlineAt: new Date(Date.now() + 1000).toISOString() });
    expect(hurried.body.quote.expectedMinutes).toBeLessThan(body.quote.expectedMinutes);
    expect((await stage.sql`select from jobs`).length).toBe(0);
  });

  it('is null where no machine is on offer', async () => {
    stage.simulator.market.faults.add('offers', { kind: 'answer', status: 500, body: '', done: false }, 2);
    const { body } = await post('/quote', { kind: 'image', analyses: ['ocr'] });
    expect(body.quote).toBeNull();
  });

  it('needs to know what is asked for, and who asks', async () => {
    expect((await post('/quote', { kind: 'book' })).status).toBe(400);
    expect((await post('/quote', { kind: 'image', preset: 'default', analyses: ['ocr'] })).status).toBe(400);
    expect((await post('/quote', { kind: 'image', durationMs: -1 })).status).toBe(400);
    expect((await post('/quote', { kind: 'image' }, null)).status).toBe(401);
  });
});
