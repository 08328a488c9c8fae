/** The big red button of the function `terminate`, with leases in Postgres and a simulated provider. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { core } from '../../functions/core/core.ts';
import { newId } from '../../functions/core/ids.ts';
import { labelOf } from '../../functions/core/instances/label.ts';
import { type Stopped, stopAllLeases } from '../../functions/core/instances/stop-leases.ts';
import { isHeld } from '../../functions/core/planner/hold.ts';
import terminate from '../../functions/terminate/handler.ts';
import { ensureSecrets, type Secrets } from '../../infra/secrets/secrets.ts';
import {
  assignJob,
  type FreshDatabase,
  freshDatabase,
  functionsPassword,
  insertJob,
} from '../database/fresh.ts';
import { call } from '../http/call.ts';
import { openApiChecker } from '../jobs/openapi-checker.ts';
import { startRunpodPods } from '../providers/simulator/runpod-pods.ts';
import { accountKey, type Simulator } from '../providers/simulator/server.ts';

describe('POST /function/terminate {"all": true}', () => {
  let folder: string;
  let secrets: Secrets;
  let database: FreshDatabase;
  let simulator: Simulator;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'aima-stop-'));
    secrets = await ensureSecrets(folder);
    await writeFile(join(folder, 'runpod-api-key'), accountKey);
    await writeFile(join(folder, 'database-password'), functionsPassword);
    [database, simulator] = await Promise.all([freshDatabase(), startRunpodPods()]);
    Object.assign(process.env, {
      AIMA_SECRETS_DIR: folder,
      AIMA_DATA_DIR: folder,
      AIMA_DATABASE_URL: database.url('aima_functions', ''),
      // Nothing listens there: no bell is heard, and none is needed.
      AIMA_MQTT_URL: 'mqtt://127.0.0.1:1',
      AIMA_PROVIDERS: 'runpod-pods',
      AIMA_RUNPOD_URL: simulator.url,
      AIMA_WORKER_IMAGE: 'registry.example/aima/worker:1',
    });
  });

  afterAll(async () => {
    await core().publisher.close();
    await core().sql.end({ timeout: 1 });
    await Promise.all([database.close(), simulator.close(), rm(folder, { recursive: true })]);
  });

  beforeEach(async () => {
    simulator.market.faults.clear();
    for (const { id } of simulator.market.alive()) simulator.market.end(id);
    await database.admin`truncate jobs, instances, settings cascade`;
  });

  /** A machine there, under the label of a lease or of an orphan. */
  const rent = (instanceId = newId(), owner = secrets['owner-id']) =>
    simulator.market.rent(
      {
        offerId: simulator.market.offers[0]!.id,
        label: labelOf(owner, instanceId),
        environment: {},
        request: {},
      },
      null,
    )!.id;

  async function lease(): Promise<string> {
    const instanceId = newId();
    const offer = { provider: 'runpod-pods', offerId: 'x', speed: 1 };
    await database.admin`
      insert into instances (instance_id, label, provider, state, offer, price_microdollars_per_hour, deadline_at)
      values (${instanceId}, ${labelOf(secrets['owner-id'], instanceId)}, 'runpod-pods', 'requested',
        ${database.admin.json(offer)}, 360000, now() + interval '1 hour')`;
    await database.admin`
      update instances set state = 'booting', provider_instance_id = ${rent(instanceId)} where instance_id = ${instanceId}`;
    return instanceId;
  }

  const instance = async (instanceId: string) =>
    (await database.admin`select state, reason from instances where instance_id = ${instanceId}`)[0];

  async function post(body: unknown, token = secrets['api-token']) {
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
    const answer = await call(terminate, 'POST', '/', { body: JSON.stringify(body), headers });
    (await openApiChecker())('POST', '/function/terminate', { ...answer, body: answer.json() });
    return answer;
  }

  it('holds the queue, ends leases and orphans, gives jobs back, and says what is confirmed', async () => {
    const instanceId = await lease();
    const jobId = await insertJob(database.admin);
    await assignJob(database.admin, jobId, instanceId);
    rent();
    rent(newId(), 'others');
    const answer = await post({ all: true });
    expect(answer.status).toBe(200);
    expect(answer.json()).toMatchObject({
      held: true,
      confirmed: true,
      leasesLeft: [],
      providers: [{ provider: 'runpod-pods', confirmed: true, machines: [{ gone: true }, { gone: true }] }],
    });
    expect(simulator.market.alive().map(({ label }) => label)).toEqual([
      expect.stringContaining('aima-others-'),
    ]);
    expect(await instance(instanceId)).toEqual({ state: 'terminated', reason: 'stop_everything' });
    expect(await isHeld(database.admin)).toBe(true);
    const [job] = await database.admin`select state from jobs where job_id = ${jobId}`;
    expect(job).toEqual({ state: 'queued' });
  });

  it('answers in time what is not confirmed, and leaves it to the sweep', async () => {
    const instanceId = await lease();
    simulator.market.faults.add(
      'terminate',
      { kind: 'answer', status: 500, body: 'oops', done: false },
      10_000,
    );
    const answer: Stopped = await stopAllLeases(core(), 1500);
    expect(answer).toMatchObject({
      held: true,
      confirmed: false,
      leasesLeft: [{ instanceId, provider: 'runpod-pods' }],
      providers: [{ confirmed: false, machines: [{ gone: false, why: expect.stringContaining('500') }] }],
    });
    expect(await instance(instanceId)).toMatchObject({ state: 'terminating' });
    expect(await isHeld(database.admin)).toBe(true);
  });

  it('takes no list that shows nothing for proof against what Postgres knows', async () => {
    const instanceId = await lease();
    simulator.market.faults.add('list', { kind: 'empty' }, 10_000);
    simulator.market.faults.add('terminate', { kind: 'ignored' }, 10_000);
    const answer = await stopAllLeases(core(), 1500);
    expect(answer).toMatchObject({ confirmed: false, leasesLeft: [{ instanceId }] });
  });

  it('is not for the connector, and not without its one word', async () => {
    expect((await post({ all: false })).status).toBe(400);
    const instanceId = await lease();
    await call(terminate, 'POST', '/', {
      body: '{"all": true}',
      headers: { authorization: `Bearer ${secrets['connector-token']}`, 'content-type': 'application/json' },
    });
    expect(await instance(instanceId)).toMatchObject({ state: 'booting' });
    expect(await isHeld(database.admin)).toBe(false);
  });
});
