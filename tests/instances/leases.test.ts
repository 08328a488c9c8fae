/** Leases at a simulated provider, with time that is told to pass: what the sweep does without any event. */
import { inspect } from 'node:util';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { newId } from '../../functions/core/ids.ts';
import { labelOf } from '../../functions/core/instances/label.ts';
import { decide } from '../../functions/core/planner/decide.ts';
import { openStage, type Stage } from '../faults/stage.ts';
import { simulatedProviders } from '../providers/simulated.ts';

const runpod = simulatedProviders.find(({ name }) => name === 'runpod-pods')!;
const minuteMs = 60_000;
let stage: Stage;

beforeAll(async () => {
  vi.spyOn(console, 'error').mockImplementation(() => {});
  vi.spyOn(console, 'warn').mockImplementation(() => {});
  stage = await openStage(runpod);
});
afterAll(() => stage.close());
beforeEach(async () => {
  const { market } = stage.simulator;
  market.faults.clear();
  for (let n = 0; n < 200 && (await living()) > 0; n++) await stage.pass(5_000);
  await stage.sql`delete from avoided`;
  await stage.sql`update providers set paused_until_at = null, failures = 0, offers_at = null`;
});

const alive = () => stage.simulator.market.alive();
const unauthorized = { kind: 'answer', status: 401, body: '{"error":"no"}', done: false } as const;
async function living(): Promise<number> {
  const [row] = await stage.sql<{ count: number }[]>`
    select count(*)::integer as count from instances where state <> 'terminated'`;
  return row!.count;
}
async function until(what: () => Promise<boolean> | boolean, mostMs = 30 * minuteMs): Promise<void> {
  for (let passedMs = 0; !(await what()); passedMs += 5_000) {
    if (passedMs > mostMs) throw new Error('it did not come to that');
    await stage.pass(5_000);
  }
}
const openAlerts = () =>
  stage.sql<
    { key: string; text: string }[]
  >`select key, text from alerts where resolved_at is null and key not like 'disk:%'`;

describe('a machine that does not go', () => {
  it('is asked again for ever, counts as billed, and is told to a human until it is gone', async () => {
    await stage.submit();
    await until(() => alive().length === 1);
    stage.simulator.market.faults.add(
      'terminate',
      { kind: 'answer', status: 500, body: 'oops', done: false },
      999,
    );
    await until(async () => (await openAlerts()).some(({ key }) => key.endsWith(':not_gone')));
    const [stuck] = await stage.sql<{ state: string; terminateTries: number; costs: boolean }[]>`
      select state, terminate_tries, cost_since(i, requested_at) > 0 as costs from instances i where state <> 'terminated'`;
    expect(stuck).toMatchObject({ state: 'terminating', costs: true });
    expect(stuck!.terminateTries).toBeGreaterThan(5);

    stage.simulator.market.faults.clear();
    await until(() => alive().length === 0, 3 * minuteMs);
    await until(async () => (await living()) === 0);
    expect(await openAlerts()).toEqual([]);
  });

  it('is no obstacle for its jobs: they go on elsewhere', async () => {
    const jobId = await stage.submit();
    stage.simulator.market.faults.add('create', { kind: 'ailing', ailment: { kind: 'hangs_in_load' } });
    stage.simulator.market.faults.add('terminate', unauthorized, 999);
    // The key is revoked: nothing is rented there either, before it works again.
    await until(async () => (await openAlerts()).length > 0);
    stage.simulator.market.faults.clear();
    await until(async () => {
      const [job] = await stage.sql<{ state: string }[]>`select state from jobs where job_id = ${jobId}`;
      return job!.state === 'succeeded';
    }, 60 * minuteMs);
  });
});

describe('a worker that is ready nowhere', () => {
  it('is our fault after the third machine: nothing more is rented there, and a human is told', async () => {
    const crashLoop = { kind: 'ailing', ailment: { kind: 'crash_loop' } } as const;
    const before = stage.simulator.market.machines.length;
    stage.simulator.market.faults.add('create', crashLoop, 999);
    const jobId = await stage.submit();
    await until(async () => (await openAlerts()).some(({ key }) => key.endsWith(':never_ready')));
    for (let n = 0; n < 60; n++) await stage.pass(10_000);
    expect(stage.simulator.market.machines.length - before).toBe(3);

    stage.simulator.market.faults.clear();
    await until(async () => {
      const [job] = await stage.sql<{ state: string }[]>`select state from jobs where job_id = ${jobId}`;
      return job!.state === 'succeeded';
    }, 60 * minuteMs);
    await stage.pass(60_000);
    expect(await openAlerts()).toEqual([]);
  });
});

describe('the provider’s list', () => {
  it('shows our machines without a lease, which end within a minute', async () => {
    await stage.submit();
    await until(() => alive().length === 1);
    const { market } = stage.simulator;
    const label = labelOf(stage.config.secret('owner-id'), newId());
    market.rent({ offerId: market.offers[0]!.id, label, environment: {}, request: {} }, null);
    await until(() => !alive().some((machine) => machine.label === label), minuteMs);
    const [event] = await stage.sql`select from events where type = 'instance.orphan_ended'`;
    expect(event).toBeDefined();
  });

  it('tells a human of a machine without a lease that does not go, until it has gone', async () => {
    const { market } = stage.simulator;
    const label = labelOf(stage.config.secret('owner-id'), newId());
    const machine = market.rent({ offerId: market.offers[0]!.id, label, environment: {}, request: {} }, null);
    market.faults.add('terminate', { kind: 'answer', status: 500, body: 'oops', done: false }, 999);
    await until(async () => (await openAlerts()).some(({ text }) => text.includes(label)));
    const events = await stage.sql`
      select from events where type = 'instance.orphan_ended' and data ->> 'providerInstanceId' = ${machine!.id}`;
    expect(events).toHaveLength(1);
    market.faults.clear();
    await until(async () => (await openAlerts()).length === 0);
    expect(alive().some((one) => one.label === label)).toBe(false);
  });

  it('stops the renting while it cannot be read, and its silence ends no lease', async () => {
    await stage.submit();
    await until(() => alive().length === 1);
    stage.simulator.market.faults.add('list', { kind: 'answer', status: 200, body: '[]', done: false }, 999);
    await until(async () => {
      const [row] = await stage.sql<{ reason: string | null }[]>`
        select pause_reason as reason from providers where paused_until_at > now()`;
      return row?.reason === 'answers in an unknown shape';
    });
    const ended = await stage.sql`select from instances where reason in ('vanished', 'never_appeared')`;
    expect(ended).toEqual([]);
  });

  it('is asked twelve times an hour at the most while nothing is rented', async () => {
    for (let n = 0; n < 20; n++) await stage.pass(30_000);
    const before = listCalls();
    for (let n = 0; n < 120; n++) await stage.pass(30_000);
    expect(listCalls() - before).toBeLessThanOrEqual(12);
  });
});

function listCalls(): number {
  return stage.simulator.requests.filter(({ method, path }) => method === 'GET' && path === '/v2/pods')
    .length;
}

describe('two planners at once', () => {
  it('rent one machine for one need', async () => {
    stage.isDeaf = true;
    await stage.submit();
    const looks = Array.from({ length: 6 }, (_, n) => decide(n % 2 ? stage.core : stage.secondCore));
    await Promise.all(looks);
    stage.isDeaf = false;
    expect(alive()).toHaveLength(1);
  });

  it('could not write a second one down, whatever they believed', async () => {
    const jobId = await stage.submit();
    await until(() => alive().length === 1);
    const copy = stage.sql`
      insert into instances (instance_id, label, provider, state, offer, price_microdollars_per_hour, deadline_at, rented_for)
      select ${newId()}, label || 'x', provider, 'requested', offer, 0, deadline_at, rented_for
      from instances where rented_for = ${jobId} and state <> 'terminated'`;
    await expect(copy).rejects.toMatchObject({ constraint_name: 'instances_one_for_a_need' });
  });
});

describe('a provider that answers with what it was sent', () => {
  it.each([400, 500])('brings no password into a log or an event (%i)', async (status) => {
    const sent = `"AIMA_DATABASE_URL":"postgres://aima_worker_${newId()}:s3cret-Pass_word@db:5432/aima","AIMA_MQTT_URL":"mqtts://worker-${newId()}:s3cret`;
    const body = JSON.stringify({
      type: 'about:blank',
      title: 'Bad Request',
      status,
      detail: `env: {${sent}`,
    });
    const logged = vi.mocked(console.error).mock;
    const before = logged.calls.length;
    stage.simulator.market.faults.add('create', { kind: 'answer', status, body, done: false });
    await stage.submit();
    await until(async () => {
      const [event] =
        await stage.sql`select from events where type in ('instance.in_doubt', 'instance.terminated')`;
      return event !== undefined && stage.simulator.market.faults.waiting === 0;
    });
    const kept = await stage.sql<{ text: string }[]>`
      select reason as text from avoided union all select data::text from events
      union all select error_detail from attempts where error_detail is not null`;
    const said = logged.calls.slice(before).map((call) => inspect(call, { depth: 9 }));
    const texts = [...kept.map(({ text }) => text), ...said];
    expect(texts.some((text) => text.includes('aima_worker_'))).toBe(true);
    expect(texts.filter((text) => text.includes('s3cret'))).toEqual([]);
  });
});
