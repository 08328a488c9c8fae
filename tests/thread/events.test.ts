/** What events may do: nothing but say "look now". */
import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import mqtt from 'mqtt';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type TestMedia, testMedia } from '../media/test-media.ts';
import { type Client, startClient } from './client.ts';

let client: Client;
let media: TestMedia;
beforeAll(async () => {
  [media, client] = await Promise.all([testMedia(), startClient()]);
}, 400_000);
afterAll(() => client?.remove());

describe('events', () => {
  it('that come twice, or lie, change nothing', async () => {
    const bell = await mqtt.connectAsync(client.stack.mqttUrl, {
      protocolVersion: 4,
      username: 'functions',
      password: await client.stack.secret('mqtt-functions-password'),
    });
    const jobId = await client.send(media.png, { analyses: ['ocr'], reuse: false });
    const lie = '0'.repeat(26);
    const [{ objectKey } = { objectKey: '' }] = await client.sql<{ objectKey: string }[]>`
      select object_key from jobs join media using (media_id) where job_id = ${jobId}`;
    const uploaded = {
      EventName: 's3:ObjectCreated:Put',
      Key: `media/${objectKey}`,
      Records: [
        {
          s3: {
            bucket: { name: 'media' },
            object: { key: encodeURIComponent(objectKey), size: 1, eTag: 'x' },
          },
        },
      ],
    };
    for (let n = 0; n < 20; n++) {
      await bell.publishAsync('aima/media/uploaded', JSON.stringify(uploaded), { qos: 1 });
      await bell.publishAsync('aima/jobs/queued', JSON.stringify({ v: 1, jobIds: [jobId, lie] }), { qos: 1 });
      await bell.publishAsync(`aima/leases/${lie}/finished`, JSON.stringify({ v: 1, jobId }), { qos: 1 });
      await bell.publishAsync('aima/instances/drained', JSON.stringify({ v: 1, instanceId: lie }), {
        qos: 1,
      });
      await bell.publishAsync('aima/jobs/queued', 'not even JSON', { qos: 1 });
    }
    await bell.endAsync();
    expect(await client.finished(jobId)).toMatchObject({ state: 'succeeded', attempt: 1 });
    const [{ count } = { count: 0 }] = await client.sql<
      { count: number }[]
    >`select count(*) from jobs join media using (media_id) where object_key = ${objectKey}`;
    expect(Number(count)).toBe(1);
  });

  it('that are all lost, since the broker hangs, only make it later', async () => {
    await client.nothingRuns();
    const broker = await client.stack.pid('broker');
    process.kill(broker, 'SIGSTOP');
    try {
      const jobId = await client.send(media.png, { analyses: ['ocr'], reuse: false });
      expect(await client.finished(jobId, 240_000)).toMatchObject({ state: 'succeeded' });
      await client.nothingRuns(120_000);
    } finally {
      process.kill(broker, 'SIGCONT');
    }
  }, 400_000);
});

describe('two orchestrators at once', () => {
  it('rent one machine for one need', async () => {
    await client.nothingRuns();
    const before = await client.sql`select instance_id from instances`;
    const { jobs } = await client.submit({
      files: Array.from({ length: 5 }, (_, n) => ({ name: `${n}.png` })),
      analyses: ['ocr'],
      reuse: false,
    });
    const picture = Uint8Array.from(await readFile(media.png));
    const stop = new AbortController();
    const orchestrators = Array.from({ length: 4 }, async () => {
      while (!stop.signal.aborted) {
        await client.call('POST', 'orchestrate', {});
        await sleep(10);
      }
    });
    await Promise.all(jobs.map((job) => client.put(job.upload!.url!, picture)));
    for (const { jobId } of jobs)
      expect(await client.finished(jobId)).toMatchObject({ state: 'succeeded', attempt: 1 });
    stop.abort();
    await Promise.all(orchestrators);
    await client.nothingRuns();
    const rented = await client.sql<{ jobs: number; overlapping: boolean }[]>`
      select i.instance_id, exists (
        select from instances o where o.instance_id <> i.instance_id and o.requested_at < i.terminating_at and i.requested_at < o.terminating_at
      ) as overlapping from instances i where not instance_id = any (${before.map((row) => row.instanceId)})`;
    expect(rented.length).toBeGreaterThan(0);
    expect(rented.some((row) => row.overlapping)).toBe(false);
  }, 300_000);
});
