/** What dies in the middle of a job costs time, and nothing else. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { listProcesses } from '../../functions/core/providers/processes.ts';
import { type TestMedia, testMedia } from '../media/test-media.ts';
import type { ServiceName } from '../stack/start-stack.ts';
import { type Client, startClient } from './client.ts';

let client: Client;
let media: TestMedia;
beforeAll(async () => {
  [media, client] = await Promise.all([testMedia(), startClient()]);
}, 400_000);
afterAll(() => client?.remove());

/** Long enough to be killed in the middle, and each part says whether something is lost or doubled. */
const analyses = ['scenes', 'transcribe'];

/** How often the recogniser hears this word in the whole film when nothing disturbs it. */
const countries = 6;

/** A job in whose middle we are: a part is saved, and it is not the last. */
async function begun(): Promise<string> {
  const jobId = await client.send(media.talk, { analyses, reuse: false });
  for (;;) {
    const job = await client.until(jobId, ({ state }) => state !== 'assigned' && state !== 'queued');
    if (job.state === 'succeeded') throw new Error('The job was over before it could be disturbed.');
    const [part] = await client.sql`select from parts where job_id = ${jobId}`;
    if (part) return jobId;
  }
}

async function expectWhole(jobId: string): Promise<void> {
  const { scenes, transcript, status } = await client.result(jobId);
  expect(status).toBe('complete');
  expect(scenes!.map((scene) => scene.startMs)).toEqual([0, ...media.talkTruth.cutsMs]);
  expect(new Set(scenes!.map((scene) => scene.sceneId)).size).toBe(scenes!.length);
  // Said three times in the film: not a word of it may be missing or come twice.
  const words = transcript!.segments.flatMap((segment) => segment.words);
  expect(words.filter((word) => /^country\W?$/.test(word.text))).toHaveLength(countries);
  const starts = words.map((word) => word.startMs);
  expect(starts).toEqual([...new Set(starts)].toSorted((a, b) => a - b));
  const parts = await client.sql<{ analyzer: string; fromMs: number; toMs: number }[]>`
    select analyzer, from_ms, to_ms from parts where job_id = ${jobId} order by analyzer, from_ms`;
  for (const [index, part] of parts.entries()) {
    const before = parts[index - 1];
    expect(part.fromMs).toBe(before?.analyzer === part.analyzer ? before.toMs : 0);
  }
}

async function workerPid(): Promise<number> {
  const [row] = await client.sql<{ label: string }[]>`select label from instances where state = 'ready'`;
  return (await listProcesses()).find((one) => one.args.includes(`--label=${row!.label}`))!.pid;
}

describe('kill -9 in the middle of a job', () => {
  it('of the worker: another goes on after the last saved part', async () => {
    const jobId = await begun();
    process.kill(await workerPid(), 'SIGKILL');
    const job = await client.finished(jobId);
    expect(job).toMatchObject({ state: 'succeeded', attempt: 2 });
    const fences = await client.sql`select distinct fence from parts where job_id = ${jobId}`;
    expect(fences.length).toBe(2);
    await expectWhole(jobId);
  }, 300_000);

  const others: ServiceName[][] = [['postgres'], ['objects'], ['functions', 'connector', 'broker']];
  for (const names of others) {
    it(`of ${names.join(', ')}: the same worker goes on`, async () => {
      const jobId = await begun();
      await Promise.all(names.map((name) => client.stack.kill(name)));
      expect(await client.finished(jobId)).toMatchObject({ state: 'succeeded', attempt: 1 });
      await expectWhole(jobId);
      await client.nothingRuns();
    }, 300_000);
  }

  it('of the supervisor and everything with it: the next start goes on where it was', async () => {
    const jobId = await begun();
    await client.stack.kill('supervisor');
    await client.stack.startAgain();
    expect(await client.finished(jobId)).toMatchObject({ state: 'succeeded' });
    await expectWhole(jobId);
    await client.nothingRuns();
  }, 300_000);
});
