import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { price, workMs } from '../../functions/core/planner/estimate.ts';
import {
  type Action,
  type LiveInstance,
  type PlanInput,
  type Policy,
  plan,
  type QueuedJob,
} from '../../functions/core/planner/plan.ts';
import type { Offer } from '../../functions/core/providers/provider.ts';

const policy: Policy = {
  maxInstances: 4,
  maxPriceMicrodollarsPerHour: 1_000_000,
  budgetMicrodollars: 20_000_000,
  waitMicrodollarsPerHour: 100_000,
  maxLeaseMs: 6 * 3_600_000,
};

const job = (jobId: string, more: Partial<QueuedJob> = {}): QueuedJob => ({
  jobId,
  analyses: ['transcribe'],
  kind: 'audio',
  durationMs: 60_000,
  priority: 0,
  queuedAtMs: 0,
  maxCostMicrodollars: null,
  ...more,
});

const offer = (more: Partial<Offer> = {}): Offer => ({
  provider: 'cheap',
  offerId: 'a',
  gpu: 'RTX 3090',
  vramMb: 24_000,
  region: null,
  priceMicrodollarsPerHour: 200_000,
  available: 9,
  bootMs: 90_000,
  speed: 20,
  ...more,
});

const instance = (more: Partial<LiveInstance> = {}): LiveInstance => ({
  instanceId: 'i1',
  provider: 'cheap',
  state: 'ready',
  priceMicrodollarsPerHour: 200_000,
  speed: 20,
  requestedAtMs: 0,
  deadlineAtMs: 6 * 3_600_000,
  jobs: [],
  bootMs: 90_000,
  ...more,
});

const look = (input: Partial<PlanInput>): PlanInput => ({
  nowMs: 0,
  held: false,
  jobs: [],
  instances: [],
  offers: [],
  policy,
  measured: {},
  ...input,
});
const short = (actions: Action[]) =>
  actions.map((action) =>
    action.type === 'rent'
      ? `rent ${action.offer.provider} for ${action.jobIds}`
      : action.type === 'drain'
        ? `drain ${action.instanceId}`
        : action.type === 'assign'
          ? `${action.jobId} to ${action.instanceId}`
          : `${action.jobId} waits: ${action.because}`,
  );

describe('the planner', () => {
  it('rents the offer whose job costs least, not the one with the lowest price', () => {
    const slow = offer({ provider: 'slow', priceMicrodollarsPerHour: 150_000, speed: 1, bootMs: 600_000 });
    expect(
      short(plan(look({ jobs: [job('j', { durationMs: 3_600_000 })], offers: [slow, offer()] }))),
    ).toEqual(['rent cheap for j']);
  });

  it('puts short jobs on one machine rather than pay for several boots', () => {
    const jobs = ['a', 'b', 'c'].map((id, n) => job(id, { queuedAtMs: n }));
    expect(short(plan(look({ jobs, offers: [offer()] })))).toEqual(['rent cheap for a,b,c']);
  });

  it('prefers a warm machine as long as waiting for it is cheaper than booting another', () => {
    const busy = (durationMs: number) =>
      instance({ jobs: [{ analyses: ['transcribe'], kind: 'audio', durationMs }] });
    const at = (durationMs: number) =>
      short(plan(look({ jobs: [job('j')], offers: [offer()], instances: [busy(durationMs)] })));
    expect(at(60_000)).toEqual(['j to i1']);
    expect(at(20 * 3_600_000)).toEqual(['rent cheap for j']);
  });

  it('ends a machine at once when nothing is left for it', () => {
    expect(
      short(plan(look({ instances: [instance(), instance({ instanceId: 'i2', state: 'booting' })] }))),
    ).toEqual(['drain i1', 'drain i2']);
  });

  it('does not end a machine that is in doubt, nor one that has work', () => {
    const working = instance({ jobs: [job('x')] });
    expect(plan(look({ instances: [working, instance({ instanceId: 'i2', state: 'in_doubt' })] }))).toEqual(
      [],
    );
  });

  it('lets every job wait while the queue is held, and ends what has no work all the same', () => {
    const actions = plan(look({ held: true, jobs: [job('j')], offers: [offer()], instances: [instance()] }));
    expect(short(actions)).toEqual(['j waits: the queue is held', 'drain i1']);
  });

  it('says why a job waits', () => {
    const jobs = [job('j')];
    const because = (input: Partial<PlanInput>) => short(plan(look({ jobs, ...input })))[0];
    expect(because({})).toBe('j waits: no provider offers a machine now');
    expect(because({ offers: [offer()], policy: { ...policy, budgetMicrodollars: 10 } })).toMatch(
      /are left this month/,
    );
    expect(because({ jobs: [job('j', { maxCostMicrodollars: 5 })], offers: [offer()] })).toMatch(
      /more than its limit/,
    );
    expect(
      because({
        policy: { ...policy, maxInstances: 1 },
        offers: [offer()],
        instances: [instance({ state: 'terminating' })],
      }),
    ).toMatch(/instances that may live/);
  });

  it('takes higher priority first, then who came first', () => {
    const jobs = [
      job('late', { queuedAtMs: 2 }),
      job('early', { queuedAtMs: 1 }),
      job('urgent', { queuedAtMs: 3, priority: 5 }),
    ];
    expect(short(plan(look({ jobs, offers: [offer()] })))).toEqual(['rent cheap for urgent,early,late']);
  });
});

const offers = fc.array(
  fc.record({
    provider: fc.constantFrom('a', 'b', 'c'),
    priceMicrodollarsPerHour: fc.integer({ min: 0, max: 2_000_000 }),
    available: fc.integer({ min: 0, max: 3 }),
    bootMs: fc.integer({ min: 0, max: 600_000 }),
    speed: fc.constantFrom(1, 5, 20, 60),
  }),
  { maxLength: 4 },
);
const jobs = fc.array(
  fc.record({
    durationMs: fc.option(fc.integer({ min: 0, max: 4 * 3_600_000 })),
    priority: fc.integer({ min: -10, max: 10 }),
    queuedAtMs: fc.integer({ min: 0, max: 1000 }),
    maxCostMicrodollars: fc.option(fc.integer({ min: 0, max: 1_000_000 })),
  }),
  { maxLength: 12 },
);
const instances = fc.array(
  fc.record({
    provider: fc.constantFrom('a', 'b', 'c'),
    state: fc.constantFrom('requested', 'in_doubt', 'booting', 'ready', 'terminating' as const),
    priceMicrodollarsPerHour: fc.integer({ min: 0, max: 2_000_000 }),
    deadlineAtMs: fc.integer({ min: 0, max: 6 * 3_600_000 }),
    speed: fc.constantFrom(1, 20),
    busy: fc.boolean(),
  }),
  { maxLength: 5 },
);
const inputs = fc
  .record({
    offers,
    jobs,
    instances,
    maxInstances: fc.integer({ min: 0, max: 6 }),
    budgetMicrodollars: fc.integer({ min: 0, max: 3_000_000 }),
  })
  .map(({ offers, jobs, instances, ...limits }) =>
    look({
      offers: offers.map((one, n) => offer({ ...one, offerId: `o${n}` })),
      jobs: jobs.map((one, n) => job(`j${String(n).padStart(2, '0')}`, one)),
      instances: instances.map(({ busy, ...one }, n) =>
        instance({ ...one, instanceId: `i${n}`, jobs: busy ? [job('x')] : [] }),
      ),
      policy: { ...policy, ...limits },
    }),
  );

describe('whatever it is given, the planner', () => {
  it('decides about every job exactly once', () => {
    fc.assert(
      fc.property(inputs, (input) => {
        const decided = plan(input).flatMap((action) =>
          action.type === 'rent' ? action.jobIds : action.type === 'drain' ? [] : [action.jobId],
        );
        expect(decided.toSorted()).toEqual(input.jobs.map((one) => one.jobId).toSorted());
      }),
    );
  });

  it('spends no more than the budget, and on no job more than its limit', () => {
    fc.assert(
      fc.property(inputs, (input) => {
        const byId = new Map(input.jobs.map((one) => [one.jobId, one]));
        let money = 0;
        for (const action of plan(input)) {
          if (action.type === 'rent') {
            money += price(action.offer.priceMicrodollarsPerHour, action.offer.bootMs);
            for (const id of action.jobIds) {
              const cost = price(
                action.offer.priceMicrodollarsPerHour,
                workMs(byId.get(id)!, action.offer.speed, undefined),
              );
              expect(cost).toBeLessThanOrEqual(byId.get(id)!.maxCostMicrodollars ?? Infinity);
              money += cost;
            }
          } else if (action.type === 'assign') {
            const place = input.instances.find((one) => one.instanceId === action.instanceId)!;
            money += price(
              place.priceMicrodollarsPerHour,
              workMs(byId.get(action.jobId)!, place.speed, undefined),
            );
          }
        }
        expect(money).toBeLessThanOrEqual(input.policy.budgetMicrodollars);
      }),
    );
  });

  it('keeps to the number of instances, the stock and the highest price', () => {
    fc.assert(
      fc.property(inputs, (input) => {
        const rents = plan(input).filter((action) => action.type === 'rent');
        if (rents.length > 0)
          expect(rents.length + input.instances.length).toBeLessThanOrEqual(input.policy.maxInstances);
        for (const one of input.offers) {
          expect(rents.filter((rent) => rent.offer === one).length).toBeLessThanOrEqual(one.available);
        }
        for (const { offer } of rents) {
          expect(offer.priceMicrodollarsPerHour).toBeLessThanOrEqual(
            input.policy.maxPriceMicrodollarsPerHour,
          );
        }
      }),
    );
  });

  it('gives no work to what is ending or in doubt, and ends nothing that it gives work to', () => {
    fc.assert(
      fc.property(inputs, (input) => {
        const actions = plan(input);
        const given = new Set(
          actions.flatMap((action) => (action.type === 'assign' ? [action.instanceId] : [])),
        );
        for (const { instanceId, state, jobs } of input.instances) {
          const drained = actions.some(
            (action) => action.type === 'drain' && action.instanceId === instanceId,
          );
          if (state === 'terminating' || state === 'in_doubt')
            expect(given.has(instanceId) || drained).toBe(false);
          else expect(drained).toBe(jobs.length === 0 && !given.has(instanceId));
        }
      }),
    );
  });

  it('decides the same again, in whatever order jobs are listed', () => {
    fc.assert(
      fc.property(inputs, (input) => {
        expect(plan({ ...input, jobs: input.jobs.toReversed() })).toEqual(plan(input));
      }),
    );
  });

  it('never rents a dearer twin of an offer that still has stock', () => {
    fc.assert(
      fc.property(inputs, fc.integer({ min: 1, max: 500_000 }), (input, more) => {
        const twins = input.offers.map((one) => ({
          ...one,
          offerId: `${one.offerId}-twin`,
          priceMicrodollarsPerHour: one.priceMicrodollarsPerHour + more,
        }));
        const rents = plan({ ...input, offers: [...twins, ...input.offers] }).filter(
          (action) => action.type === 'rent',
        );
        for (const { offer: chosen } of rents.filter((rent) => rent.offer.offerId.endsWith('-twin'))) {
          const cheap = input.offers.find((one) => `${one.offerId}-twin` === chosen.offerId)!;
          expect(rents.filter((rent) => rent.offer === cheap).length).toBe(cheap.available);
        }
      }),
    );
  });
});
