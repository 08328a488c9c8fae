import { expect, it } from 'vitest';
import type { InstanceView } from '../../functions/core/instances/list.ts';
import type { Job } from '../../scripts/analyze/api.ts';
import { areDone, bill } from '../../scripts/analyze/bill.ts';

const at = (second: number) => new Date(Date.UTC(2031, 0, 1) + second * 1000).toISOString();

function machine(instanceId: string, seen: Partial<InstanceView>): InstanceView {
  return {
    instanceId,
    label: `aima-${instanceId}`,
    provider: 'vast',
    state: 'terminated',
    reason: 'done',
    gpu: 'RTX 4090',
    host: null,
    region: null,
    interruptible: true,
    priceMicrodollarsPerHour: 360_000,
    costMicrodollars: 0,
    billedMicrodollars: null,
    jobIds: [],
    requestedAt: at(2),
    createdAt: at(2),
    startedAt: at(10),
    readyAt: at(12),
    heartbeatAt: at(40),
    deadlineAt: at(7200),
    terminateTries: 1,
    terminatedAt: null,
    ...seen,
  };
}

const job: Job = {
  jobId: 'one',
  state: 'succeeded',
  progress: 1,
  error: null,
  costMicrodollars: 4200,
  quote: { minMicrodollars: 1000, maxMicrodollars: 6000 },
  queue: null,
  medium: { uploadedAt: at(0) },
  finishedAt: at(40),
  attempts: [{ instanceId: 'a', startedAt: at(12), endedAt: at(40) }],
};

it('says what was paid, where, how the time went and that the machine is gone', () => {
  expect(bill(job, [machine('b', { provider: 'salad' }), machine('a', {})])).toBe(
    'cost $0.0042, quoted $0.0010 to $0.0060; on vast RTX 4090 at $0.360 an hour; ' +
      'waited 2.0 s, booted 10.0 s, worked 28.0 s; the machine is gone',
  );
});

it('does not say of a machine that is not proven gone that it is', () => {
  expect(bill(job, [machine('a', { state: 'terminating' })])).toMatch(
    /^cost \$0\.0042 so far.* not proven gone yet: aima-a$/,
  );
});

it('says of a machine that has work again that it is kept for that', () => {
  const kept = machine('a', { state: 'ready', jobIds: ['two'] });
  expect(bill(job, [kept])).toMatch(/not proven gone yet: aima-a \(at work for others\)$/);
  expect(areDone([kept])).toBe(true);
  expect(areDone([machine('a', { state: 'ready' })])).toBe(false);
});

it('counts no boot of a machine that was there already', () => {
  const there = machine('a', { requestedAt: at(-600), readyAt: at(-500) });
  expect(bill(job, [there])).toContain('waited 12.0 s, booted 0.0 s, worked 28.0 s');
});

it('names every machine of a job that was interrupted', () => {
  const attempts = [
    { instanceId: 'a', startedAt: at(12), endedAt: at(20) },
    { instanceId: 'b', startedAt: at(35), endedAt: at(40) },
  ];
  const free = { provider: 'local', gpu: null, priceMicrodollarsPerHour: 0 };
  const second = machine('b', { ...free, requestedAt: at(30), readyAt: at(35) });
  expect(bill({ ...job, attempts }, [second, machine('a', {})])).toMatch(
    /on vast RTX 4090 at \$0\.360 an hour, then local for free; waited 12\.0 s, booted 15\.0 s, worked 13\.0 s; the machines are gone$/,
  );
});

it('of a job that no machine had says only what it cost', () => {
  const refused = { ...job, costMicrodollars: 0, quote: null, finishedAt: at(1), attempts: [] };
  expect(bill(refused, [])).toBe('cost $0.0000; waited 1.0 s, booted 0.0 s, worked 0.0 s');
});
