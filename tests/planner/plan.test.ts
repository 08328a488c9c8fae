import { describe, expect, it } from 'vitest';
import { plan } from '../../functions/core/planner/plan.ts';
import { barredKey, type Situation } from '../../functions/core/planner/situation.ts';
import { agingStepMs } from '../../functions/core/planner/turns.ts';
import { held, hourMs, instance, job, look, offer, policy, short } from './situation.ts';

const planned = (more: Partial<Situation>) => short(plan(look(more)));

describe('where a job goes', () => {
  it('is the offer whose job costs least, not the one with the lowest price', () => {
    const slow = offer({ provider: 'slow', priceMicrodollarsPerHour: 150_000, speed: 1, bootMs: 600_000 });
    expect(planned({ jobs: [job('j', { durationMs: hourMs })], offers: [slow, offer()] })).toEqual([
      'rent cheap/a for j',
    ]);
  });

  it('is one machine for short jobs, rather than several boots', () => {
    const jobs = ['a', 'b', 'c'].map((id, n) => job(id, { queuedAtMs: n }));
    expect(planned({ jobs, offers: [offer()] })).toEqual(['rent cheap/a for a,b,c']);
  });

  it('is several machines where waiting for one costs more than booting another', () => {
    const jobs = ['a', 'b', 'c'].map((id, n) => job(id, { queuedAtMs: n, durationMs: 40 * hourMs }));
    expect(planned({ jobs, offers: [offer()] })).toEqual([
      'rent cheap/a for a',
      'rent cheap/a for b',
      'rent cheap/a for c',
    ]);
  });

  it('is a warm machine as long as waiting for it is cheaper than booting another', () => {
    const at = (durationMs: number) =>
      planned({
        jobs: [job('j')],
        offers: [offer()],
        instances: [instance({ jobs: [held({ durationMs })] })],
      });
    expect(at(60_000)).toEqual(['j to i1']);
    expect(at(20 * hourMs)).toEqual(['rent cheap/a for j']);
  });

  it('counts traffic and when billing begins', () => {
    const film = job('j', { sizeBytes: 20e9, durationMs: hourMs });
    const metered = offer({ offerId: 'metered', trafficMicrodollarsPerGb: { in: 20_000, out: 0 } });
    const free = offer({ offerId: 'free', priceMicrodollarsPerHour: 300_000 });
    expect(planned({ jobs: [film], offers: [metered, free] })).toEqual(['rent cheap/free for j']);
    const fromStart = offer({ offerId: 'b', billedFrom: 'start', bootMs: 600_000 });
    const fromRequest = offer({ offerId: 'a', bootMs: 600_000 });
    expect(planned({ jobs: [job('j')], offers: [fromRequest, fromStart] })).toEqual(['rent cheap/b for j']);
  });

  it('is a machine that comes up rather than a cheaper one that mostly does not', () => {
    const learned = {
      ...look().learned,
      boots: { cheap: { up: 5, down: 45, givenUpMs: null }, other: { up: 50, down: 0, givenUpMs: null } },
    };
    const sure = offer({ provider: 'other', priceMicrodollarsPerHour: 240_000 });
    expect(planned({ jobs: [job('j')], offers: [offer(), sure] })).toEqual(['rent cheap/a for j']);
    expect(planned({ jobs: [job('j')], offers: [offer(), sure], learned })).toEqual(['rent other/a for j']);
  });

  it('is an interruptible machine only where it is cheaper with all that is done twice, and after two losses only where none stays', () => {
    const spot = offer({ offerId: 'spot', interruptible: true, priceMicrodollarsPerHour: 180_000 });
    const long = job('j', { durationMs: 100 * hourMs });
    expect(planned({ jobs: [long], offers: [offer(), spot] })).toEqual(['rent cheap/spot for j']);
    const learned = { ...look().learned, losses: { cheap: { times: 50, hours: 1 } } };
    expect(planned({ jobs: [long], offers: [offer(), spot], learned })).toEqual(['rent cheap/a for j']);
    const lost = { ...long, preemptions: 2 };
    expect(planned({ jobs: [lost], offers: [offer(), spot] })).toEqual(['rent cheap/a for j']);
    expect(planned({ jobs: [lost], offers: [spot] })).toEqual(['rent cheap/spot for j']);
  });

  it('is the preferred provider where all else is equal, whatever the order of the answers', () => {
    const twins = [offer({ provider: 'other' }), offer({ provider: 'cheap' })];
    for (const offers of [twins, twins.toReversed()])
      expect(planned({ jobs: [job('j')], offers })).toEqual(['rent cheap/a for j']);
  });
});

describe('a deadline', () => {
  const slow = offer({ offerId: 'slow', priceMicrodollarsPerHour: 50_000, speed: 2 });
  const fast = offer({ offerId: 'fast', priceMicrodollarsPerHour: 900_000, speed: 60 });
  const at = (deadlineAtMs: number | null) =>
    plan(look({ jobs: [job('j', { durationMs: 2 * hourMs, deadlineAtMs })], offers: [slow, fast] }));

  it('is met by the cheapest place that can', () => {
    expect(short(at(null))).toEqual(['rent cheap/slow for j']);
    expect(short(at(hourMs))).toEqual(['rent cheap/slow for j']);
    expect(short(at(5 * 60_000))).toEqual(['rent cheap/fast for j']);
  });

  it('that nothing meets gets the fastest, and says so', () => {
    const [action] = at(1000);
    expect(short([action!])).toEqual(['rent cheap/fast for j']);
    expect(action!.because).toMatch(/no place meets its deadline, this is the fastest/);
  });

  it('rents another machine where the queue before a warm one would miss it', () => {
    const busy = instance({ jobs: [held({ durationMs: 10 * hourMs })] });
    const asked = (deadlineAtMs: number | null) =>
      planned({ jobs: [job('j', { deadlineAtMs })], offers: [offer()], instances: [busy] });
    expect(asked(null)).toEqual(['j to i1']);
    expect(asked(3 * 60_000)).toEqual(['rent cheap/a for j']);
  });
});

describe('what a machine is given', () => {
  it('is the work of the next minutes; what comes later stays in the queue with the time of its turn', () => {
    const jobs = Array.from({ length: 10 }, (_, n) =>
      job(`j${n}`, { queuedAtMs: n, durationMs: 12 * hourMs }),
    );
    const actions = plan(look({ jobs, instances: [instance()] }));
    const given = actions.filter((action) => action.type === 'assign');
    const waiting = actions.filter((action) => action.type === 'wait');
    expect(given.map((one) => one.jobId)).toEqual(['j0', 'j1', 'j2']);
    expect(waiting.map((one) => [one.jobId, one.why])).toEqual(
      ['j3', 'j4', 'j5', 'j6', 'j7', 'j8', 'j9'].map((id) => [id, 'turn']),
    );
    const starts = [...given, ...waiting].map((one) => one.startInMs!);
    expect(starts).toEqual(starts.toSorted((a, b) => a - b));
    expect(starts[0]).toBe(0);
  });

  it('ends it at once when it is nothing', () => {
    expect(planned({ instances: [instance({ instanceId: 'i2', state: 'booting' }), instance()] })).toEqual([
      'drain i1',
      'drain i2',
    ]);
  });

  it('is nothing while it is in doubt, and then it is not ended either', () => {
    const working = instance({ jobs: [held()] });
    expect(planned({ instances: [working, instance({ instanceId: 'i2', state: 'in_doubt' })] })).toEqual([]);
  });
});

describe('turns', () => {
  const one = { policy: { ...policy, maxInstances: 1 }, offers: [offer()] };

  it('go by priority, then by who came first', () => {
    const jobs = [
      job('late', { queuedAtMs: 2 }),
      job('early', { queuedAtMs: 1 }),
      job('urgent', { queuedAtMs: 3, priority: 5 }),
    ];
    expect(planned({ jobs, ...one })).toEqual(['rent cheap/a for urgent,early,late']);
  });

  it('come sooner the longer a job waits', () => {
    const jobs = [job('old', { queuedAtMs: -5 * agingStepMs }), job('new', { priority: 4 })];
    expect(planned({ jobs, ...one })).toEqual(['rent cheap/a for old,new']);
    jobs[1]!.priority = 6;
    expect(planned({ jobs, ...one })).toEqual(['rent cheap/a for new,old']);
  });

  it('are taken by users, so that one with many jobs does not starve another', () => {
    const many = Array.from({ length: 500 }, (_, n) =>
      job(`many${n}`, { userId: 'u1', queuedAtMs: -hourMs + n, priority: 10, durationMs: hourMs }),
    );
    const single = job('single', { userId: 'u2' });
    const [rent] = plan(look({ jobs: [...many, single], ...one }));
    expect(short([rent!])).toEqual([expect.stringMatching(/^rent cheap\/a for many0,single/)]);
    // What a user has on machines already counts as turns had.
    const busy = instance({ jobs: [held({ userId: 'u1' })] });
    const [first] = plan(look({ jobs: [...many, single], instances: [busy] }));
    expect(short([first!])).toEqual(['single to i1']);
  });
});

describe('a job waits, with the reason,', () => {
  const because = (more: Partial<Situation>, wanted = job('j')) => planned({ jobs: [wanted], ...more })[0];

  it('while the queue is held; what has no work ends all the same', () => {
    expect(planned({ held: true, jobs: [job('j')], offers: [offer()], instances: [instance()] })).toEqual([
      'j waits: the queue is held',
      'drain i1',
    ]);
  });

  it('while a machine may have been rented for it', () => {
    expect(because({ offers: [offer()] }, job('j', { isInDoubt: true }))).toMatch(/is not known yet/);
  });

  it('while there is no offer, or none that may be rented', () => {
    expect(because({})).toBe('j waits: no provider offers a machine now');
    const dear = offer({ priceMicrodollarsPerHour: 1_500_000 });
    expect(because({ offers: [dear] })).toMatch(
      /none of 1 offers may be rented; the cheapest: \$1.500 an hour is more than the \$1.000 an hour allowed/,
    );
    expect(because({ offers: [offer({ available: 0 })] })).toMatch(/has none of it left/);
  });

  it('while a budget does not allow it: of the month, the day, its user, itself', () => {
    const offers = [offer()];
    expect(because({ offers, policy: { ...policy, monthMicrodollars: 10 } })).toMatch(/are left this month/);
    expect(because({ offers, policy: { ...policy, dayMicrodollars: 10 } })).toMatch(/are left today/);
    expect(because({ offers, policy: { ...policy, userDayMicrodollars: 10 } })).toMatch(
      /are left for its user today/,
    );
    expect(because({ offers }, job('j', { maxCostMicrodollars: 5 }))).toMatch(/left of its own limit/);
    // Earlier attempts have used it up.
    const spent = job('j', { maxCostMicrodollars: 100_000, spentMicrodollars: 99_999 });
    expect(because({ offers }, spent)).toMatch(/left of its own limit/);
  });

  it('while as much as may run does', () => {
    const busy = instance({ state: 'terminating' });
    const offers = [offer()];
    expect(because({ offers, instances: [busy], policy: { ...policy, maxInstances: 1 } })).toMatch(
      /instances that may live/,
    );
    expect(
      because({ offers, instances: [busy], policy: { ...policy, maxTotalMicrodollarsPerHour: 300_000 } }),
    ).toMatch(/what runs costs \$0.200 an hour already/);
  });

  it('where it would outlast every machine', () => {
    expect(because({ offers: [offer()] }, job('j', { durationMs: 2000 * hourMs }))).toMatch(
      /after the end of the lease/,
    );
  });

  it('counting what machines that live are yet expected to cost', () => {
    const busy = instance({
      instanceId: 'i2',
      state: 'in_doubt',
      jobs: [held({ durationMs: 100 * hourMs })],
    });
    const tight = { ...policy, dayMicrodollars: 30_000 };
    expect(because({ offers: [offer()], policy: tight })).toBe('rent cheap/a for j');
    expect(because({ offers: [offer()], policy: tight, instances: [busy] })).toMatch(/are left today/);
  });
});

describe('an offer is left out', () => {
  const rented = (one: Partial<Parameters<typeof offer>[0]>, more: Partial<Situation> = {}) =>
    planned({ jobs: [job('j')], offers: [offer(one)], ...more })[0]!.startsWith('rent');

  it('by policy: provider, region, interruptible, memory, CUDA, reliability', () => {
    expect(rented({})).toBe(true);
    expect(rented({ provider: 'unknown' })).toBe(false);
    expect(rented({ region: 'US-KS-2' }, { policy: { ...policy, regions: ['eu'] } })).toBe(false);
    expect(rented({ region: 'EU-RO-1' }, { policy: { ...policy, regions: ['eu'] } })).toBe(true);
    expect(rented({ region: null }, { policy: { ...policy, regions: ['eu'] } })).toBe(false);
    expect(rented({ interruptible: true }, { policy: { ...policy, interruptible: false } })).toBe(false);
    expect(rented({ vramMb: 8_000 })).toBe(false);
    expect(rented({ cuda: 12.1 })).toBe(false);
    expect(rented({ cuda: null })).toBe(true);
    expect(rented({ reliability: 0.5 })).toBe(false);
  });

  it('but not for want of a GPU where it has none, as on this machine', () => {
    expect(rented({ gpu: null, vramMb: 0, cuda: null, priceMicrodollarsPerHour: 0 })).toBe(true);
  });

  it('while its provider is paused, or it or its host went wrong not long ago', () => {
    const host = 'h1';
    const barred = (key: string) => ({ barred: { providers: {}, offersAndHosts: { [key]: 'went wrong' } } });
    expect(rented({}, { barred: { providers: { cheap: 'paused' }, offersAndHosts: {} } })).toBe(false);
    expect(rented({ host }, barred(barredKey('cheap', 'offer', 'a')))).toBe(false);
    expect(rented({ host }, barred(barredKey('cheap', 'host', 'h1')))).toBe(false);
    expect(rented({ host }, barred(barredKey('other', 'host', 'h1')))).toBe(true);
  });
});

describe('a person is asked', () => {
  const long = job('j', { durationMs: 50 * hourMs });
  const cautious = { ...policy, confirmAboveMicrodollars: 50_000 };

  it('about what may cost more than may be spent unasked', () => {
    expect(planned({ jobs: [long], offers: [offer()], policy: cautious })).toEqual(['ask about j']);
    expect(planned({ jobs: [job('j')], offers: [offer()], policy: cautious })).toEqual([
      'rent cheap/a for j',
    ]);
  });

  it('not again unless it costs a fifth more than was agreed to', () => {
    const [action] = plan(look({ jobs: [long], offers: [offer()], policy: cautious }));
    const { microdollars } = action as { microdollars: number };
    const asked = (confirmedMicrodollars: number) =>
      planned({ jobs: [{ ...long, confirmedMicrodollars }], offers: [offer()], policy: cautious });
    expect(asked(Math.ceil(microdollars / 1.19))).toEqual(['rent cheap/a for j']);
    expect(asked(Math.floor(microdollars / 1.21))).toEqual(['ask about j']);
  });

  it('about all that it costs, earlier attempts too', () => {
    const again = { ...long, confirmedMicrodollars: 100_000, spentMicrodollars: 90_000 };
    const [action] = plan(look({ jobs: [again], offers: [offer()], policy: cautious }));
    const { microdollars } = action as { microdollars: number };
    expect(microdollars).toBeGreaterThan(120_000);
    // Whoever agrees to what he was asked is not asked about the same again.
    const agreed = { ...again, confirmedMicrodollars: microdollars };
    expect(planned({ jobs: [agreed], offers: [offer()], policy: cautious })).toEqual(['rent cheap/a for j']);
  });

  it('not about a job that has a limit of its own below that', () => {
    const limited = { ...long, maxCostMicrodollars: 40_000 };
    expect(planned({ jobs: [limited], offers: [offer()], policy: cautious })[0]).toMatch(/its own limit/);
  });
});
