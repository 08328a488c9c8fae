import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { priorWorkMs, sortOf } from '../../functions/core/planner/estimate.ts';
import {
  type EndedInstance,
  type EndedRun,
  hostKey,
  kindKey,
  learn,
  nothingLearned,
} from '../../functions/core/planner/learned.ts';
import { paceOf } from '../../functions/core/planner/pace.ts';
import { hourMs, offer } from './situation.ts';

const ended = (more: Partial<EndedInstance> = {}): EndedInstance => ({
  provider: 'cheap',
  gpu: 'RTX 3090',
  host: 'h1',
  interruptible: false,
  reason: 'done',
  bootMs: 60_000,
  loadMs: 10_000,
  lifeMs: hourMs,
  ...more,
});

const work = { analyses: ['transcribe'], kind: 'audio', durationMs: hourMs, sizeBytes: 50_000_000 };

/** Of an hour of sound, that took so many times what was expected of the machine. */
const run = (factor: number, more: Partial<EndedRun> = {}): EndedRun => ({
  ...work,
  provider: 'cheap',
  gpu: 'RTX 3090',
  speed: 20,
  tookMs: (priorWorkMs(work) / 20) * factor,
  transferMs: null,
  ...more,
});

const times = <T>(count: number, one: T): T[] => Array.from({ length: count }, () => one);

describe('without any run, what is expected is what the offer says', () => {
  it('of boot, work, transfer and losses', () => {
    const pace = paceOf(offer({ bootMs: 90_000, downloadMbps: 800 }), nothingLearned);
    expect(pace).toMatchObject({
      bootMs: 90_000,
      billedBootMs: 90_000,
      bytesPerMs: 100_000,
      lossesPerHour: 0,
    });
    expect(pace.factorOf(sortOf(work))).toMatchObject({ expected: 1, runs: 0 });
    expect(paceOf(offer({ interruptible: true }), nothingLearned).lossesPerHour).toBe(0.1);
  });

  it('and of a boot that is billed from its start only the last part', () => {
    const pace = paceOf(offer({ bootMs: 90_000, billedFrom: 'start' }), nothingLearned);
    expect(pace).toMatchObject({ billedBootMs: 30_000, billedFailedMs: 0 });
    expect(pace.failedMs).toBeGreaterThan(0);
  });
});

describe('with runs', () => {
  it('a few move the expectation, many make it', () => {
    const bootAfter = (count: number) =>
      paceOf(offer({ bootMs: 90_000 }), learn(times(count, ended({ host: null })), [])).bootMs;
    expect(bootAfter(1)).toBe(80_000);
    expect(bootAfter(50)).toBeLessThan(62_000);
    const factorAfter = (count: number) =>
      paceOf(offer(), learn([], times(count, run(4)))).factorOf(sortOf(work));
    expect(factorAfter(1).expected).toBeGreaterThan(1);
    // Estimates are to be within a fifth after twenty jobs.
    expect(factorAfter(20).expected).toBeGreaterThan(3.7);
    expect(factorAfter(20)).toMatchObject({ runs: 20 });
  });

  it('one odd run among many moves nothing', () => {
    const usual = times(30, run(2));
    const odd = [run(500), run(0.001)];
    const expected = (runs: EndedRun[]) => paceOf(offer(), learn([], runs)).factorOf(sortOf(work)).expected;
    expect(expected([...usual, ...odd])).toBeCloseTo(expected(usual), 1);
  });

  it('only the newest fifty count', () => {
    const now = times(50, ended({ bootMs: 30_000 }));
    const before = times(400, ended({ bootMs: 600_000 }));
    expect(learn([...now, ...before], []).bootMs[kindKey('cheap', 'RTX 3090')]).toMatchObject({
      median: 30_000,
      samples: 50,
    });
  });

  it('a host that boots slowly is told from its like', () => {
    const learned = learn(
      [...times(20, ended({ host: 'slow', bootMs: 300_000 })), ...times(30, ended({ host: 'h2' }))],
      [],
    );
    expect(learned.bootMs[hostKey('cheap', 'slow')]!.median).toBe(300_000);
    const bootOn = (host: string) => paceOf(offer({ host }), learned).bootMs;
    expect(bootOn('slow')).toBeGreaterThan(2 * bootOn('h2'));
  });

  it('one sort of work does not speak for another, but for want of better', () => {
    const faces = { ...work, analyses: ['faces'] };
    const runs = [
      ...times(30, run(1)),
      ...times(30, run(1, { ...faces, tookMs: (priorWorkMs(faces) / 20) * 6 })),
    ];
    const pace = paceOf(offer(), learn([], runs));
    expect(pace.factorOf(sortOf(work)).expected).toBeCloseTo(1, 0);
    expect(pace.factorOf(sortOf(faces)).expected).toBeGreaterThan(5);
    expect(paceOf(offer({ gpu: 'L4' }), learn([], runs)).factorOf('image|ocr')).toMatchObject({ runs: 0 });
  });

  it('waiting for bytes is not work', () => {
    const slow = run(3, { transferMs: (priorWorkMs(work) / 20) * 2 });
    const learned = learn([], times(50, slow));
    expect(learned.workFactor.cheap!.median).toBeCloseTo(1, 6);
    expect(learned.bytesPerMs.cheap!.median).toBeCloseTo(work.sizeBytes / slow.transferMs!, 6);
    // A small medium tells how long the first byte takes, and nothing of the line.
    expect(learn([], [run(1, { sizeBytes: 1000, transferMs: 80 })]).bytesPerMs).toEqual({});
  });
});

describe('machines that do not come up', () => {
  const paceAfter = (instances: EndedInstance[]) => paceOf(offer(), learn(instances, []));
  const down = ended({ bootMs: null, loadMs: null, reason: 'pull_timeout', lifeMs: 900_000 });

  it('cost each that does', () => {
    const good = paceAfter(times(50, ended()));
    const bad = paceAfter([...times(25, ended()), ...times(25, down)]);
    expect(bad.billedFailedMs).toBeGreaterThan(20 * good.billedFailedMs);
    // About one failure of a quarter of an hour for each machine.
    expect(bad.billedFailedMs).toBeGreaterThan(500_000);
    expect(bad.billedFailedMs).toBeLessThan(900_000);
  });

  it('do not count where they were refused or somebody ended them', () => {
    const ours = ['done', 'asked', 'no_capacity', 'budget'].map((reason) => ended({ bootMs: null, reason }));
    expect(learn(ours, []).boots.cheap).toEqual({ up: 0, down: 0, givenUpMs: null });
  });
});

it('how often machines are taken away is counted by the hours that they ran', () => {
  const spot = (more: Partial<EndedInstance>) =>
    ended({ interruptible: true, bootMs: 0, lifeMs: hourMs, ...more });
  const learned = learn([...times(20, spot({ reason: 'preempted' })), ...times(20, spot({}))], []);
  expect(learned.losses.cheap).toEqual({ times: 20, hours: 40 });
  expect(paceOf(offer({ interruptible: true }), learned).lossesPerHour).toBeCloseTo(21 / 50, 6);
});

describe('whatever was seen,', () => {
  const instances = fc.array(
    fc.record({
      provider: fc.constantFrom('cheap', 'other'),
      gpu: fc.constantFrom(null, 'RTX 3090'),
      host: fc.constantFrom(null, 'h1'),
      interruptible: fc.boolean(),
      reason: fc.constantFrom(null, 'done', 'preempted', 'pull_timeout'),
      bootMs: fc.option(fc.integer({ min: 0, max: hourMs })),
      loadMs: fc.option(fc.integer({ min: 0, max: hourMs })),
      lifeMs: fc.integer({ min: 0, max: 10 * hourMs }),
    }),
  );
  const runs = fc.array(
    fc.record({
      provider: fc.constantFrom('cheap', 'other'),
      gpu: fc.constantFrom(null, 'RTX 3090'),
      analyses: fc.subarray(['ocr', 'transcribe', 'something new']),
      kind: fc.constantFrom('image', 'audio', null),
      durationMs: fc.option(fc.integer({ min: -1, max: 10 * hourMs })),
      sizeBytes: fc.option(fc.integer({ min: 0, max: 1e10 })),
      speed: fc.integer({ min: 1, max: 60 }),
      tookMs: fc.integer({ min: 1, max: 10 * hourMs }),
      transferMs: fc.option(fc.integer({ min: 0, max: hourMs })),
    }),
  );

  it('every expectation is a number that can be reckoned with', () => {
    fc.assert(
      fc.property(instances, runs, (seen, ran) => {
        const pace = paceOf(offer({ host: 'h1', interruptible: true }), learn(seen, ran));
        const { expected, low, high } = pace.factorOf('audio|transcribe');
        const { bootMs, billedBootMs, failedMs, billedFailedMs, lossesPerHour } = pace;
        for (const one of [
          expected,
          low,
          high,
          bootMs,
          billedBootMs,
          failedMs,
          billedFailedMs,
          lossesPerHour,
        ])
          expect(one >= 0 && Number.isFinite(one)).toBe(true);
        expect(pace.bytesPerMs).toBeGreaterThan(0);
        expect(billedBootMs).toBeLessThanOrEqual(bootMs);
        expect(low).toBeLessThanOrEqual(expected);
        expect(high).toBeGreaterThanOrEqual(expected);
      }),
    );
  });
});
