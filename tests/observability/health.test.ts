/** GET /function/jobs/health with real services that are taken away, and the sentences for what the database tells. */
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { raise, resolve } from '../../functions/core/alerts/alerts.ts';
import { judgeDisk } from '../../functions/core/health/disk.ts';
import { alertFindings, diskFindings } from '../../functions/core/health/findings.ts';
import { currentHealth, examine } from '../../functions/core/health/health.ts';
import type { Finding } from '../../functions/core/health/shapes.ts';
import { hold } from '../../functions/core/planner/hold.ts';
import { insertInstance, insertJob } from '../database/fresh.ts';
import { type System, startSystem } from '../jobs/system.ts';

let system: System;
beforeAll(async () => {
  vi.spyOn(console, 'warn').mockImplementation(() => {});
  system = await startSystem();
});
afterAll(async () => {
  await system.stop();
  vi.restoreAllMocks();
});
beforeEach(async () => {
  const { admin } = system.database;
  await admin`truncate alerts, providers`;
  await admin`update sweeps set finished_at = now(), failing = '{}', failing_since_at = null`;
});

/** Without the disk of the machine that runs this, which may be full. */
async function look(): Promise<Finding[]> {
  const { findings } = await examine(system.core, new Date());
  return findings.filter(({ part }) => part !== 'disk');
}

describe('who asks', () => {
  it('without a token hears only how it is, with one everything, and with a wrong one that it is none', async () => {
    await raise(system.core.sql, {
      key: 'instance:i:not_gone',
      severity: 'critical',
      text: 'A machine does not go.',
    });
    const stranger = await system.api('GET', '/health', { token: null });
    expect(stranger.status).toBe(503);
    expect(stranger.body).toEqual({ status: 'broken' });
    const { status, body } = await system.api('GET', '/health');
    expect(status).toBe(503);
    expect(body.findings[0]).toMatchObject({
      part: 'machine',
      severity: 'critical',
      what: 'A machine does not go.',
      sinceAt: expect.stringMatching(/Z$/),
      advice: expect.stringContaining('stop-everything'),
    });
    expect(
      (await system.api('GET', '/health', { token: 'token-of-the-connector' })).body.findings,
    ).toHaveLength(body.findings.length);
    expect((await system.api('GET', '/health', { token: 'another' })).status).toBe(401);
  });

  it('often makes it look no more often than every five seconds', async () => {
    const core = {
      ...system.core,
      get sql(): never {
        throw new Error('no');
      },
    };
    const atMs = Date.now() + 3_600_000;
    const first = await currentHealth(system.core, atMs);
    expect(await currentHealth(core, atMs + 4_999)).toBe(first);
    expect((await currentHealth(core, atMs + 5_000)).findings).toContainEqual(
      expect.objectContaining({ part: 'database' }),
    );
  });
});

describe('services', () => {
  it('that all answer are no finding', async () => {
    expect(await look()).toEqual([]);
  });

  it('says that the object store does not answer, and since when, until it does', async () => {
    await system.withoutObjects(async () => {
      const [first] = await look();
      expect(first).toMatchObject({ part: 'objects', severity: 'critical', sinceAt: expect.any(String) });
      const [later] = await look();
      expect(later!.sinceAt).toBe(first!.sinceAt);
    });
    expect(await look()).toEqual([]);
  });

  it('says so of a bucket that is not there', async () => {
    const { bucket } = system.core;
    const core = {
      ...system.core,
      bucket: {
        ...bucket,
        list: (await import('../../functions/core/storage/bucket.ts')).openBucket({
          ...system.core.config,
          AIMA_S3_BUCKET: 'another',
        }).list,
      },
    };
    expect((await examine(core, new Date())).findings).toContainEqual(
      expect.objectContaining({ part: 'objects' }),
    );
  });

  it('says that the broker does not answer', async () => {
    const { client } = system.core.publisher;
    const answers = client.listeners('packetreceive');
    expect(await look()).toEqual([]);
    expect(client.listeners('packetreceive')).toEqual(answers);
    await client.endAsync(true);
    expect(await look()).toMatchObject([{ part: 'broker', severity: 'critical' }]);
    client.reconnect();
    await new Promise((resolve) => client.once('connect', resolve));
    expect(await look()).toEqual([]);
  });
});

describe('what the database tells', () => {
  it('of sweeps: late, and with steps that fail', async () => {
    const { sql } = system.core;
    await sql`update sweeps set finished_at = now() - interval '6 minutes' where name = 'leases'`;
    await sql`
      update sweeps set failing = '{billing,planning}', failing_since_at = now() - interval '10 minutes' where name = 'jobs'`;
    expect(await look()).toMatchObject([
      {
        part: 'sweep',
        severity: 'critical',
        what: expect.stringContaining('The sweep of leases does not come'),
      },
      {
        part: 'sweep',
        severity: 'warning',
        what: 'In the sweep of jobs these steps fail: billing, planning.',
      },
    ]);
  });

  it('of providers: paused, unseen, failing', async () => {
    const { sql } = system.core;
    await sql`
      insert into providers (provider, paused_until_at, pause_reason, failures, listed_at, machines) values
        ('vast', now() + interval '5 minutes', 'the key is not taken', 3, now(), 1),
        ('salad', null, null, 0, now() - interval '1 hour', 2),
        ('local', null, null, 2, now(), 0),
        ('nobody rents here', now() + interval '5 minutes', 'x', 3, now(), 0)`;
    expect(await look()).toMatchObject([
      {
        severity: 'critical',
        what: 'salad has given no whole and credible list of its machines, of which 2 are ours, for 60 minutes.',
      },
      { severity: 'warning', what: 'The last 2 calls to local failed.' },
      { severity: 'warning', what: 'Nothing is rented from vast now: the key is not taken.' },
    ]);
  });

  it('of money: near the budget, which is no fault of the server', async () => {
    const { sql } = system.core;
    await raise(sql, { key: 'budget:day:2026-01-01:reached', severity: 'critical', text: 'It is used up.' });
    expect(await examine(system.core, new Date())).toMatchObject({ status: 'degraded' });
    expect(await look()).toMatchObject([{ part: 'money', severity: 'warning', what: 'It is used up.' }]);
    await resolve(sql, 'budget:day:2026-01-01:reached');
    expect(await look()).toEqual([]);
  });

  it('of the queue: held, or waiting with no machine; not while one boots', async () => {
    const { sql } = system.core;
    const jobId = await insertJob(sql);
    expect(await look()).toEqual([]);
    await hold(sql, true);
    expect(await look()).toMatchObject([{ part: 'queue', what: 'A job waits: the queue is held.' }]);
    await hold(sql, false);
    await sql`update jobs set queued_at = now() - interval '31 minutes' where job_id = ${jobId}`;
    expect(await look()).toMatchObject([{ part: 'queue', what: 'A job waits and no machine is rented.' }]);
    await insertInstance(sql);
    expect(await look()).toEqual([]);
  });
});

describe('the disk', () => {
  it.each([
    [100, 250, null],
    [24, 250, 'warning'],
    [7, 250, 'critical'],
    [4.9, 20, 'warning'],
    [0.9, 20, 'critical'],
    [0.9, 4, 'critical'],
  ])('with %d GB of %d free', (free, size, severity) => {
    const disk = { freeBytes: free * 1e9, sizeBytes: size * 1e9 };
    expect(judgeDisk(disk)).toBe(severity);
    expect(diskFindings(disk).map((finding) => finding.severity)).toEqual(severity ? [severity] : []);
  });
});

it('has words for every kind of alert, and tells what it found out itself only once', () => {
  const alert = {
    alertId: 1,
    severity: 'critical',
    text: 'So.',
    data: {},
    raisedAt: new Date(0),
    toldAt: null,
  } as const;
  const parts = (key: string) => alertFindings([{ ...alert, key }]).map(({ part }) => part);
  expect(parts('machine:vast/1:not_gone')).toEqual(['machine']);
  expect(parts('instance:1:billing')).toEqual(['money']);
  expect(parts('provider:vast:no_credit')).toEqual(['provider']);
  expect(parts('provider:vast:never_ready')).toEqual(['provider']);
  expect(parts('something:new')).toEqual(['other']);
  expect(parts('sweep:jobs:late')).toEqual([]);
  expect(parts('disk:warning')).toEqual([]);
});
