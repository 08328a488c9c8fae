/** Situations for the planner, and arbitrary ones. */
import fc from 'fast-check';
import { nothingLearned } from '../../functions/core/planner/learned.ts';
import type { Action } from '../../functions/core/planner/plan.ts';
import type {
  HeldJob,
  LiveInstance,
  Policy,
  QueuedJob,
  Situation,
} from '../../functions/core/planner/situation.ts';
import type { Offer } from '../../functions/core/providers/provider.ts';

export const hourMs = 3_600_000;

export const policy: Policy = {
  maxPriceMicrodollarsPerHour: 1_000_000,
  maxTotalMicrodollarsPerHour: 4_000_000,
  maxInstances: 4,
  maxLeaseMs: 6 * hourMs,
  dayMicrodollars: 10_000_000,
  monthMicrodollars: 20_000_000,
  userDayMicrodollars: 10_000_000,
  waitMicrodollarsPerHour: 100_000,
  confirmAboveMicrodollars: 10_000_000,
  providers: ['cheap', 'slow', 'other'],
  regions: [],
  interruptible: true,
  minVramMb: 15_000,
  minCuda: 12.4,
  minReliability: 0.95,
};

export const job = (jobId: string, more: Partial<QueuedJob> = {}): QueuedJob => ({
  jobId,
  userId: 'u1',
  analyses: ['transcribe'],
  kind: 'audio',
  durationMs: 60_000,
  sizeBytes: 1_000_000,
  priority: 0,
  queuedAtMs: 0,
  deadlineAtMs: null,
  maxCostMicrodollars: null,
  spentMicrodollars: 0,
  preemptions: 0,
  isInDoubt: false,
  quote: null,
  confirmedMicrodollars: null,
  ...more,
});

export const held = (more: Partial<HeldJob> = {}): HeldJob => ({
  userId: 'u1',
  analyses: ['transcribe'],
  kind: 'audio',
  durationMs: 60_000,
  sizeBytes: 1_000_000,
  progress: 0,
  ...more,
});

export const offer = (more: Partial<Offer> = {}): Offer => ({
  provider: 'cheap',
  offerId: 'a',
  host: null,
  gpu: 'RTX 3090',
  vramMb: 24_000,
  cuda: 12.6,
  region: null,
  reliability: null,
  interruptible: false,
  priceMicrodollarsPerHour: 200_000,
  trafficMicrodollarsPerGb: { in: 0, out: 0 },
  downloadMbps: 1000,
  billedFrom: 'request',
  available: 9,
  bootMs: 90_000,
  speed: 20,
  ...more,
});

export const instance = (
  more: Partial<Omit<LiveInstance, 'offer'>> & { offer?: Partial<Offer> } = {},
): LiveInstance => {
  const { offer: taken, ...rest } = more;
  return {
    instanceId: 'i1',
    state: 'ready',
    priceMicrodollarsPerHour: 200_000,
    requestedAtMs: 0,
    deadlineAtMs: 6 * hourMs,
    jobs: [],
    ...rest,
    offer: offer(taken),
  };
};

export const look = (more: Partial<Situation> = {}): Situation => ({
  nowMs: 0,
  held: false,
  jobs: [],
  instances: [],
  offers: [],
  policy,
  barred: { providers: {}, offersAndHosts: {} },
  spent: { todayMicrodollars: 0, monthMicrodollars: 0, todayByUser: {} },
  learned: nothingLearned,
  ...more,
});

/** Actions as short lines. */
export const short = (actions: Action[]): string[] => actions.map(line);

function line(action: Action): string {
  switch (action.type) {
    case 'rent':
      return `rent ${action.offer.provider}/${action.offer.offerId} for ${action.jobs.map((one) => one.jobId)}`;
    case 'assign':
      return `${action.jobId} to ${action.instanceId}`;
    case 'drain':
      return `drain ${action.instanceId}`;
    case 'ask':
      return `ask about ${action.jobId}`;
    case 'wait':
      return `${action.jobId} waits: ${action.because}`;
  }
}

/** The jobs that actions decide about. */
export const decided = (actions: Action[]): string[] =>
  actions.flatMap((action) => {
    if (action.type === 'rent') return action.jobs.map((one) => one.jobId);
    return action.type === 'drain' ? [] : [action.jobId];
  });

const dollarsPerHour = fc.integer({ min: 0, max: 2_000_000 });
const user = fc.constantFrom('u1', 'u2', 'u3');
const durationMs = fc.option(fc.integer({ min: 0, max: 4 * hourMs }));
const provider = fc.constantFrom(...policy.providers);

const offers = fc.array(
  fc.record({
    provider,
    priceMicrodollarsPerHour: dollarsPerHour,
    available: fc.integer({ min: 0, max: 3 }),
    bootMs: fc.integer({ min: 0, max: 600_000 }),
    speed: fc.constantFrom(1, 5, 20, 60),
    interruptible: fc.boolean(),
    billedFrom: fc.constantFrom('request', 'start'),
    trafficMicrodollarsPerGb: fc.record({
      in: fc.integer({ min: 0, max: 50_000 }),
      out: fc.integer({ min: 0, max: 50_000 }),
    }),
    vramMb: fc.constantFrom(8_000, 24_000),
    reliability: fc.constantFrom(null, 0.9, 0.99),
  }),
  { maxLength: 5 },
);

const jobs = fc.array(
  fc.record({
    userId: user,
    durationMs,
    sizeBytes: fc.option(fc.integer({ min: 0, max: 4_000_000_000 })),
    priority: fc.integer({ min: -10, max: 10 }),
    queuedAtMs: fc.integer({ min: -2 * hourMs, max: 0 }),
    deadlineAtMs: fc.option(fc.integer({ min: -hourMs, max: 6 * hourMs })),
    maxCostMicrodollars: fc.option(fc.integer({ min: 0, max: 1_000_000 })),
    spentMicrodollars: fc.integer({ min: 0, max: 100_000 }),
    preemptions: fc.integer({ min: 0, max: 3 }),
    isInDoubt: fc.boolean(),
    confirmedMicrodollars: fc.option(fc.integer({ min: 0, max: 1_000_000 })),
  }),
  { maxLength: 12 },
);

const instances = fc.array(
  fc.record({
    state: fc.constantFrom('requested', 'in_doubt', 'booting', 'ready', 'terminating' as const),
    priceMicrodollarsPerHour: dollarsPerHour,
    deadlineAtMs: fc.integer({ min: 0, max: 6 * hourMs }),
    offer: fc.record({ provider, speed: fc.constantFrom(1, 20), interruptible: fc.boolean() }),
    jobs: fc.array(
      fc.record({ userId: user, durationMs, progress: fc.double({ min: 0, max: 1, noNaN: true }) }),
      {
        maxLength: 3,
      },
    ),
  }),
  { maxLength: 5 },
);

const limits = fc.record({
  maxInstances: fc.integer({ min: 0, max: 6 }),
  maxTotalMicrodollarsPerHour: fc.integer({ min: 0, max: 5_000_000 }),
  dayMicrodollars: fc.integer({ min: 0, max: 3_000_000 }),
  monthMicrodollars: fc.integer({ min: 0, max: 3_000_000 }),
  userDayMicrodollars: fc.integer({ min: 0, max: 2_000_000 }),
  confirmAboveMicrodollars: fc.integer({ min: 0, max: 2_000_000 }),
  interruptible: fc.boolean(),
});

/** Everything that may be, and more that may not. */
export const situations: fc.Arbitrary<Situation> = fc
  .record({
    offers,
    jobs,
    instances,
    limits,
    today: fc.integer({ min: 0, max: 1_000_000 }),
    paused: fc.boolean(),
  })
  .map(({ offers, jobs, instances, limits, today, paused }) =>
    look({
      offers: offers.map((one, n) => offer({ ...one, offerId: `o${n}` })),
      jobs: jobs.map((one, n) => job(`j${String(n).padStart(2, '0')}`, one)),
      instances: instances.map(({ jobs, ...one }, n) =>
        instance({ ...one, instanceId: `i${n}`, jobs: jobs.map((each) => held(each)) }),
      ),
      policy: { ...policy, ...limits },
      barred: { providers: paused ? { slow: 'paused, does not answer' } : {}, offersAndHosts: {} },
      spent: { todayMicrodollars: today, monthMicrodollars: today, todayByUser: { u1: today } },
    }),
  );
