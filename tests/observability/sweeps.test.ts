/** Sweeps note that they went through, write next to nothing, and watch each other. */
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { openAlerts } from '../../functions/core/alerts/alerts.ts';
import { steadily, sweepAlerts } from '../../functions/core/alerts/watch.ts';
import type { Core } from '../../functions/core/core.ts';
import { lateAfterMs, noteSweep, readSweeps, type SweepNote } from '../../functions/core/health/sweeps.ts';
import { sweepJobs, sweepLeases } from '../../functions/core/sweep.ts';
import { type System, startSystem } from '../jobs/system.ts';

let system: System;
beforeAll(async () => {
  system = await startSystem();
});
afterEach(async () => {
  vi.restoreAllMocks();
  await system.database.admin`truncate alerts`;
});
afterAll(() => system.stop());

const noteOf = async (name: string) =>
  (await readSweeps(system.core.sql)).find((note) => note.name === name)!;
const age = () => system.core.sql`update sweeps set finished_at = finished_at - interval '10 minutes'`;
const alerts = async () => (await openAlerts(system.core.sql)).filter(({ key }) => !key.startsWith('disk:'));

describe('a note', () => {
  it('is made by each sweep that went through', async () => {
    await age();
    await sweepJobs(system.core);
    expect((await noteOf('jobs')).lagMs).toBeLessThan(60_000);
    expect((await noteOf('leases')).lagMs).toBeGreaterThan(500_000);
    await sweepLeases(system.core);
    expect(await noteOf('leases')).toMatchObject({ failing: [], failingSinceAt: null });
    expect((await noteOf('leases')).lagMs).toBeLessThan(60_000);
  });

  it('is not written again within two minutes, unless what fails has changed', async () => {
    const { sql } = system.core;
    await noteSweep(sql, 'jobs', ['b', 'a']);
    const first = await noteOf('jobs');
    expect(first.failing).toEqual(['a', 'b']);
    await noteSweep(sql, 'jobs', ['a', 'b']);
    expect((await noteOf('jobs')).finishedAt).toEqual(first.finishedAt);
    await noteSweep(sql, 'jobs', ['a']);
    expect(await noteOf('jobs')).toMatchObject({ failing: ['a'], failingSinceAt: first.failingSinceAt });
    await noteSweep(sql, 'jobs', []);
    expect(await noteOf('jobs')).toMatchObject({ failing: [], failingSinceAt: null });
  });

  it('names the steps that failed; the others were taken all the same', async () => {
    const logged = vi.spyOn(console, 'error').mockImplementation(() => {});
    const broken: Core = {
      ...system.core,
      sql: system.core.sql,
      get bucket(): never {
        throw new Error('no bucket');
      },
      get providers(): never {
        throw new Error('no providers');
      },
    };
    await sweepLeases(broken);
    expect((await noteOf('leases')).failing).toContain('leases');
    expect((await noteOf('leases')).failing).not.toContain('alerts');
    const lines = logged.mock.calls.map(([line]) => JSON.parse(line as string));
    expect(lines).toContainEqual(
      expect.objectContaining({
        level: 'error',
        sweep: 'leases',
        step: 'leases',
        error: expect.stringContaining('no providers'),
      }),
    );
    await sweepLeases(system.core);
    expect((await noteOf('leases')).failing).toEqual([]);
  });
});

describe('a watch', () => {
  const note = (name: 'jobs' | 'leases', of: Partial<SweepNote> = {}): SweepNote => ({
    name,
    finishedAt: new Date(0),
    failing: [],
    failingSinceAt: null,
    lagMs: 0,
    failingMs: null,
    ...of,
  });
  const keys = (...all: Parameters<typeof sweepAlerts>) => sweepAlerts(...all).map(({ key }) => key);
  const long = lateAfterMs + 1;

  it('tells of the other sweep when it does not come, and never of itself', () => {
    const notes = [note('jobs', { lagMs: long }), note('leases', { lagMs: long })];
    expect(keys(notes, 'jobs', long)).toEqual(['sweep:leases:late']);
    expect(keys(notes, 'leases', long)).toEqual(['sweep:jobs:late']);
    expect(keys([note('leases', { lagMs: lateAfterMs })], 'jobs', long)).toEqual([]);
  });

  it('keeps quiet where both stood still: it begins anew after a pause', () => {
    const notes = [note('leases', { lagMs: 8 * 3_600_000 })];
    expect(keys(notes, 'jobs', lateAfterMs)).toEqual([]);
    const first = steadily(undefined, 0);
    expect(first).toEqual({ sinceMs: 0, lastMs: 0 });
    expect(steadily(first, 30_000)).toEqual({ sinceMs: 0, lastMs: 30_000 });
    expect(steadily(first, long)).toEqual({ sinceMs: long, lastMs: long });
  });

  it('tells of steps that fail for long, whoever looks', () => {
    const failing = { failing: ['billing'], failingSinceAt: new Date(0) };
    expect(keys([note('jobs', { ...failing, failingMs: long })], 'jobs', 0)).toEqual(['sweep:jobs:failing']);
    expect(keys([note('jobs', { ...failing, failingMs: long })], 'leases', 0)).toEqual([
      'sweep:jobs:failing',
    ]);
    expect(keys([note('jobs', { ...failing, failingMs: 60_000 })], 'leases', 0)).toEqual([]);
  });

  it('is kept by the sweeps: raised, and over when it is', async () => {
    const { sql } = system.core;
    await sql`update sweeps set failing = '{billing}', failing_since_at = now() - interval '1 hour' where name = 'leases'`;
    await sweepJobs(system.core);
    expect(await alerts()).toMatchObject([
      { key: 'sweep:leases:failing', severity: 'warning', text: expect.stringContaining('billing') },
    ]);
    await sweepLeases(system.core);
    await sweepJobs(system.core);
    expect(await alerts()).toEqual([]);
  });
});
