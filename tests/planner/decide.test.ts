import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { newId } from '../../functions/core/ids.ts';
import { confirmJob } from '../../functions/core/jobs/retry.ts';
import { viewJob } from '../../functions/core/jobs/view.ts';
import { decide, dryRun } from '../../functions/core/planner/decide.ts';
import type { Rent } from '../../functions/core/planner/plan.ts';
import { readSituation } from '../../functions/core/planner/snapshot.ts';
import { insertInstance } from '../database/fresh.ts';
import { offer } from './situation.ts';
import { type Stage, startStage } from './stage.ts';

const owner = '0'.repeat(26);

let stage: Stage;
beforeAll(async () => {
  stage = await startStage();
  vi.spyOn(console, 'error').mockImplementation(() => {});
  vi.spyOn(console, 'warn').mockImplementation(() => {});
});
afterAll(() => stage.stop());
beforeEach(() => stage.clear());

const jobRow = async (jobId: string) => (await stage.sql`select * from jobs where job_id = ${jobId}`)[0]!;
const instances = () => stage.sql`select * from instances where state <> 'terminated' order by instance_id`;
const eventsOf = async (jobId: string) =>
  (
    await stage.sql<{ type: string; because: string }[]>`
    select type, data ->> 'because' as because from events where job_id = ${jobId} and type like 'plan.%' order by event_id`
  ).map((row) => ({ ...row }));
const alive = () => stage.simulator.market.alive();

/** A machine that was rented earlier: twenty times as fast as the priors' two cores, at $0.36 an hour. */
async function insertMachine(state: string, rentedFor: string | null = null): Promise<string> {
  const instanceId = await insertInstance(stage.sql, state);
  await stage.sql`
    update instances set provider = 'runpod-pods', rented_for = ${rentedFor}, offer = offer || '{"speed": 20}' where instance_id = ${instanceId}`;
  return instanceId;
}

/** Until some connection waits for a lock that another holds. */
async function untilSomebodyWaits(): Promise<void> {
  for (;;) {
    const [waiting] = await stage.sql`
      select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`;
    if (waiting) return;
    await sleep(10);
  }
}

describe('a look at the queue', () => {
  it.each([
    ['requested', 0],
    ['ready', 0],
    ['terminating', 1],
  ])(
    'counts a lease that is %s against the slots of this machine, whatever the process table said before',
    async (state, available) => {
      const instanceId = await insertInstance(stage.sql, state);
      await stage.sql`
      update instances set provider = 'local', offer = offer || '{"offerId": "process"}' where instance_id = ${instanceId}`;
      const asked = offer({ provider: 'local', offerId: 'process', available: 1, capacity: 1 });
      const { offers } = await stage.core.sql.begin((tx) =>
        readSituation(stage.core, tx, [asked], { isLocking: true }),
      );
      expect(offers).toEqual([{ ...asked, available }]);
    },
  );

  it('rents for a job, and writes down what for, until when, for how much and why', async () => {
    const jobId = await stage.queue();
    const { actions } = await decide(stage.core);
    expect(actions.map((action) => action.type)).toEqual(['rent']);
    const [lease] = await instances();
    expect(lease).toMatchObject({ state: 'booting', rentedFor: jobId, host: lease!.offer.host });
    expect(lease!.host).toMatch(/NVIDIA/);
    expect(alive().map((machine) => machine.label)).toEqual([lease!.label]);
    const job = await jobRow(jobId);
    expect(job).toMatchObject({ state: 'assigned', instanceId: lease!.instanceId });
    expect(job.quote).toMatchObject({ offersConsidered: expect.any(Number), basedOn: { runs: 0 } });
    expect(await eventsOf(jobId)).toEqual([
      {
        type: 'plan.rent',
        because: expect.stringMatching(/^runpod-pods NVIDIA [\w ]+: \$0\.\d+, done in/),
      },
    ]);
    const view = await viewJob(stage.core, owner, jobId);
    expect(view.quote).toEqual(job.quote);
    expect(Date.parse(view.queue!.expectedStartAt!)).toBeGreaterThan(Date.now() + 30_000);
    // What is left of the stock, without asking again.
    const [kept] = await stage.sql<{ available: number }[]>`
      select (one ->> 'available')::int as available from providers, jsonb_array_elements(offers) one
      where one ->> 'offerId' = ${lease!.offer.offerId}`;
    expect(kept!.available).toBe(lease!.offer.available - 1);
  });

  it('leaves a lease no more time and money than the budgets have', async () => {
    const poor = stage.coreWith({ AIMA_MAX_DOLLARS_PER_DAY: '0.05' });
    await stage.queue();
    const [rent] = (await decide(poor)).actions;
    expect(rent).toMatchObject({ type: 'rent', maxCostMicrodollars: 50_000 });
    const [lease] = await instances();
    const hours = (lease!.deadlineAt - lease!.requestedAt) / 3_600_000;
    expect((hours * lease!.priceMicrodollarsPerHour) / 50_000).toBeCloseTo(1, 1);
  });

  it('many times at once rents one machine for one need', async () => {
    const jobId = await stage.queue();
    await Promise.all(Array.from({ length: 6 }, () => decide(stage.core)));
    expect(alive()).toHaveLength(1);
    expect((await instances()).map((row) => row.rentedFor)).toEqual([jobId]);
  });

  it('in which another planner rents for the same need first leaves it that machine, and does the rest', async () => {
    const [taken, other] = [await stage.queue(), await stage.queue({ priority: -1 })];
    await stage.sql`update media set duration_ms = 2000000000 where media_id in (${taken}, ${other})`;
    const rich = stage.coreWith({
      AIMA_MAX_LEASE_MINUTES: '100000',
      AIMA_CONFIRM_ABOVE_DOLLARS: '1000',
      AIMA_MAX_DOLLARS_PER_DAY: '1000',
      AIMA_MAX_DOLLARS_PER_MONTH: '1000',
      AIMA_MAX_DOLLARS_PER_USER_PER_DAY: '1000',
    });
    let looking: ReturnType<typeof decide> | undefined;
    await stage.sql.begin(async (tx) => {
      const id = newId();
      await tx`
        insert into instances (instance_id, label, provider, state, offer, price_microdollars_per_hour, deadline_at, rented_for)
        values (${id}, ${id}, 'runpod-pods', 'requested', '{}', 1, now() + interval '1 hour', ${taken})`;
      looking = decide(rich);
      await untilSomebodyWaits();
    });
    await looking;
    expect(await jobRow(taken)).toMatchObject({ state: 'queued', instanceId: null });
    expect(await jobRow(other)).toMatchObject({ state: 'assigned' });
    expect(alive()).toHaveLength(1);
  });

  it('rents nothing while a machine that was asked for may exist', async () => {
    const jobId = await stage.queue();
    await insertMachine('in_doubt', jobId);
    await decide(stage.core);
    expect(alive()).toHaveLength(0);
    expect(await eventsOf(jobId)).toEqual([
      { type: 'plan.wait', because: expect.stringMatching(/is not known yet/) },
    ]);
  });

  it('may rent another for a job that failed on the machine it was rented for', async () => {
    const [again, other] = [await stage.queue(), await stage.queue()];
    await stage.sql`update media set duration_ms = 360000000 where media_id = ${other}`;
    const instanceId = await insertMachine('ready', again);
    await stage.sql`update jobs set state = 'assigned', instance_id = ${instanceId} where job_id = ${other}`;
    await decide(stage.core);
    expect(await jobRow(again)).toMatchObject({ state: 'assigned' });
    expect((await jobRow(again)).instanceId).not.toBe(instanceId);
    expect(alive()).toHaveLength(1);
  });

  it('gives no job to a machine that began to end meanwhile', async () => {
    const jobId = await stage.queue();
    const instanceId = await insertMachine('ready');
    let looking: ReturnType<typeof decide> | undefined;
    await stage.sql.begin(async (tx) => {
      await tx`update instances set state = 'terminating', reason = 'lost_contact' where instance_id = ${instanceId}`;
      looking = decide(stage.core);
      await untilSomebodyWaits();
    });
    expect((await looking!).actions).toMatchObject([{ type: 'assign', instanceId }]);
    expect(await jobRow(jobId)).toMatchObject({ state: 'queued', instanceId: null });
    await decide(stage.core);
    expect(await jobRow(jobId)).toMatchObject({ state: 'assigned' });
  });

  it('ends what has nothing left to do, with its reason', async () => {
    const instanceId = await insertMachine('ready');
    expect((await decide(stage.core)).drained).toEqual([instanceId]);
    const [row] = await instances();
    expect(row).toMatchObject({ state: 'terminating', reason: 'done' });
  });

  it('says once for each reason that a job waits', async () => {
    const jobId = await stage.queue();
    const cheap = stage.coreWith({ AIMA_MAX_DOLLARS_PER_HOUR: '0.01' });
    for (let n = 0; n < 3; n++) await decide(cheap);
    const poor = stage.coreWith({ AIMA_MAX_DOLLARS_PER_DAY: '0' });
    for (let n = 0; n < 2; n++) await decide(poor);
    expect(await eventsOf(jobId)).toEqual([
      {
        type: 'plan.wait',
        because: expect.stringMatching(/^none of \d+ offers may be rented; the cheapest: /),
      },
      { type: 'plan.wait', because: expect.stringMatching(/are left today$/) },
    ]);
    expect((await viewJob(stage.core, owner, jobId)).queue).toMatchObject({
      position: 1,
      expectedStartAt: null,
      reason: expect.stringMatching(/are left today$/),
    });
  });

  it('leaves out what is avoided, and providers that are paused', async () => {
    const jobId = await stage.queue();
    const [first, second] = (await dryRun(stage.core)).considered.jobs[0]!.places;
    await stage.sql`
      insert into avoided (provider, kind, key, reason, until_at) values
        ('runpod-pods', 'host', ${`${first!.region}/${first!.gpu}`}, 'load_timeout', now() + interval '1 hour'),
        ('runpod-pods', 'offer', ${second!.offerId}, 'no_capacity', now() - interval '1 hour')`;
    const [rent] = (await decide(stage.core)).actions;
    expect(rent).toMatchObject({ type: 'rent', offer: { offerId: second!.offerId } });
    await stage.sql`update jobs set state = 'queued', instance_id = null where job_id = ${jobId}`;
    await stage.sql`update instances set state = 'terminating' where state = 'booting'`;
    await stage.sql`update providers set paused_until_at = now() + interval '1 hour', pause_reason = 'the account has no credit'`;
    const [wait] = (await decide(stage.core)).actions;
    expect(wait).toMatchObject({ type: 'wait', because: expect.stringMatching(/the account has no credit/) });
  });

  it('counts machines that were taken away, and then rents one that stays', async () => {
    const jobId = await stage.queue();
    for (let n = 0; n < 2; n++) {
      const instanceId = await insertMachine('ready');
      await stage.sql`update jobs set state = 'assigned', instance_id = ${instanceId} where job_id = ${jobId}`;
      await stage.sql`update jobs set state = 'queued', instance_id = null where job_id = ${jobId}`;
      await stage.sql`update instances set state = 'terminating', reason = 'preempted' where instance_id = ${instanceId}`;
    }
    const interruptible = await insertMachine('ready');
    await stage.sql`update instances set offer = offer || '{"interruptible": true}' where instance_id = ${interruptible}`;
    const { considered } = await dryRun(stage.core);
    const there = considered.jobs[0]!.places.find((place) => place.instanceId === interruptible);
    expect(there!.rejectedBecause).toMatch(/taken away 2 times/);
  });
});

describe('a job that may cost more than may be spent unasked', () => {
  it('waits for a person, is not asked about again, and is when its price has risen', async () => {
    const cautious = stage.coreWith({ AIMA_CONFIRM_ABOVE_DOLLARS: '0.001' });
    const jobId = await stage.queue();
    expect((await decide(cautious)).actions.map((action) => action.type)).toEqual(['ask']);
    const asked = await viewJob(stage.core, owner, jobId);
    expect(asked).toMatchObject({
      state: 'awaiting_confirmation',
      quote: expect.any(Object),
      queue: {
        position: null,
        reason: expect.stringMatching(/^it may cost \$.* more than may be spent unasked/),
      },
    });
    expect(await eventsOf(jobId)).toEqual([
      { type: 'plan.ask', because: expect.stringMatching(/more than may be spent unasked$/) },
    ]);
    expect(alive()).toHaveLength(0);

    await confirmJob(stage.core, owner, jobId);
    expect(await jobRow(jobId)).toMatchObject({
      state: 'queued',
      confirmedMicrodollars: asked.quote!.maxMicrodollars,
    });
    await stage.sql`
      update providers set offers = (select jsonb_agg(jsonb_set(one, '{priceMicrodollarsPerHour}',
        to_jsonb((one ->> 'priceMicrodollarsPerHour')::int * 3))) from jsonb_array_elements(offers) one)`;
    const dear = stage.coreWith({ AIMA_CONFIRM_ABOVE_DOLLARS: '0.001', AIMA_MAX_DOLLARS_PER_HOUR: '20' });
    expect((await decide(dear)).actions.map((action) => action.type)).toEqual(['ask']);
    expect(await eventsOf(jobId)).toContainEqual({
      type: 'plan.ask',
      because: expect.stringMatching(/were agreed to$/),
    });
    const again = await viewJob(stage.core, owner, jobId);
    expect(again.quote!.maxMicrodollars).toBeGreaterThan(2 * asked.quote!.maxMicrodollars);

    await confirmJob(stage.core, owner, jobId);
    expect((await decide(dear)).actions.map((action) => action.type)).toEqual(['rent']);
    expect(await jobRow(jobId)).toMatchObject({ state: 'assigned' });
  });
});

describe('a dry run', () => {
  it('tells what would be done and why nothing else, and writes nothing', async () => {
    const jobId = await stage.queue();
    await dryRun(stage.core);
    const dump = async () => [
      await stage.sql`select * from jobs`,
      await stage.sql`select * from instances`,
      await stage.sql`select * from events`,
      await stage.sql`select * from providers`,
    ];
    const before = await dump();
    const { actions, considered } = await dryRun(stage.core);
    expect(await dump()).toEqual(before);
    expect(actions).toMatchObject([{ type: 'rent', jobs: [{ jobId }] }]);
    const [rent] = actions as [Rent];
    const [job] = considered.jobs;
    expect(job).toMatchObject({ jobId, quote: { offersConsidered: expect.any(Number) } });
    const allowed = job!.places.filter((place) => place.rejectedBecause === null);
    expect(allowed[0]).toMatchObject({ offerId: rent.offer.offerId, instanceId: null });
    expect(considered.rejectedOffers).toContainEqual(
      expect.objectContaining({
        gpu: 'NVIDIA H100 80GB HBM3',
        because: '$2.695 an hour is more than the $2.000 an hour allowed',
      }),
    );
    expect(stage.simulator.requests.every((request) => request.method === 'GET')).toBe(true);
  });
});

describe('fairness', () => {
  it('lets a user’s one job go before the rest of another’s many, whatever their number', async () => {
    const many = newId();
    await stage.sql`insert into users (user_id, name) values (${many}, ${many})`;
    await stage.sql`insert into batches (batch_id, user_id) values (${many}, ${many})`;
    await stage.sql`insert into media (media_id, user_id, object_key, name, kind, duration_ms, size_bytes)
      values (${many}, ${many}, ${many}, 'a.wav', 'audio', 3600000, 1000)`;
    await stage.sql`
      insert into jobs (job_id, user_id, batch_id, media_id, state, analyses, priority)
      select '0' || lpad(n::text, 25, '0'), ${many}, ${many}, ${many}, 'queued', '{transcribe}', 10
      from generate_series(1, 600) n`;
    const single = await stage.queue();
    expect((await viewJob(stage.core, owner, single)).queue!.position).toBe(2);
    const { actions } = await decide(stage.core);
    const [rent] = actions;
    expect(rent?.type === 'rent' && rent.jobs.map((one) => one.jobId)).toContain(single);
    const waiting = actions.filter((action) => action.type === 'wait' && action.why === 'turn');
    expect(waiting.length).toBeGreaterThan(100);
    const [expected] = await stage.sql`
      select count(expected_start_at)::int as jobs from jobs where state = 'queued'`;
    expect(expected!.jobs).toBe(waiting.length);
  });
});
