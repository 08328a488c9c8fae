/** What RunPod's report of a job's end causes: a look at once, and nothing for anybody else. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { loadConfig } from '../../functions/core/config.ts';
import type { Core } from '../../functions/core/core.ts';
import { openPublisher } from '../../functions/core/events/publisher.ts';
import { newId } from '../../functions/core/ids.ts';
import { labelOf } from '../../functions/core/instances/label.ts';
import { webhookToken } from '../../functions/core/providers/runpod-serverless/webhook.ts';
import { runpodServerless } from '../../functions/core/providers/runpod-serverless.ts';
import { openBucket } from '../../functions/core/storage/bucket.ts';
import { onServerlessWebhook } from '../../functions/terminate/serverless-webhook.ts';
import { ensureSecrets, type Secrets } from '../../infra/secrets/secrets.ts';
import { type FreshDatabase, freshDatabase } from '../database/fresh.ts';
import { accountKey } from './conformance.ts';
import { manualClock } from './simulator/clock.ts';
import { type RunpodServerlessSimulator, startRunpodServerless } from './simulator/runpod-serverless.ts';

const clock = manualClock();
let database: FreshDatabase;
let simulator: RunpodServerlessSimulator;
let secrets: Secrets;
let core: Core;
let dir: string;

beforeAll(async () => {
  database = await freshDatabase();
  simulator = await startRunpodServerless({ clock });
  dir = await mkdtemp(join(tmpdir(), 'aima-webhook-'));
  secrets = await ensureSecrets(dir);
  // Nobody listens there: bells are not needed.
  const config = loadConfig({ AIMA_SECRETS_DIR: dir, AIMA_MQTT_URL: 'mqtt://127.0.0.1:1' });
  const { url, endpointId } = simulator;
  const provider = runpodServerless({ controlUrl: url, runtimeUrl: url, endpointId, key: accountKey });
  core = {
    config,
    sql: database.functions,
    bucket: openBucket(config),
    publisher: openPublisher(config),
    providers: new Map([[provider.name, provider]]),
  };
});
afterAll(async () => {
  await core.publisher.close();
  await Promise.all([simulator.close(), database.close(), rm(dir, { recursive: true })]);
});

/** A lease whose job runs and whose worker has begun. */
async function rent(): Promise<{ instanceId: string; jobId: string }> {
  const provider = core.providers.get('runpod-serverless')!;
  const instanceId = newId();
  const label = labelOf(secrets['owner-id'], instanceId);
  const [offer] = await provider.offers();
  const deadlineAt = new Date(Date.now() + 3_600_000);
  const environment = { AIMA_INSTANCE_ID: instanceId };
  const request = { label, offer: offer!, environment, deadlineAt, maxCostMicrodollars: 1_000_000 };
  const outcome = await provider.create(request);
  if (outcome.kind !== 'created') throw new Error(outcome.detail);
  clock.advance(1000);
  await database.admin.begin(async (tx) => {
    await tx`insert into instances (instance_id, label, provider, state, offer, price_microdollars_per_hour, deadline_at)
      values (${instanceId}, ${label}, ${provider.name}, 'requested', ${tx.json({ ...offer! })},
              ${offer!.priceMicrodollarsPerHour}, ${deadlineAt})`;
    await tx`update instances set state = 'booting', seen_at = now(), started_at = now(), provider_instance_id = ${outcome.providerInstanceId}
      where instance_id = ${instanceId}`;
  });
  return { instanceId, jobId: outcome.providerInstanceId };
}

async function stateOf(instanceId: string): Promise<string> {
  const [row] = await database.admin`select state from instances where instance_id = ${instanceId}`;
  return row!.state as string;
}

it('finds at once that a lease is over, and nothing else', async () => {
  const over = await rent();
  const other = await rent();
  // As if somebody had just looked: it is not their turn for a while.
  await database.admin`
    insert into providers (provider, next_look_at) values ('runpod-serverless', now() + interval '1 hour')
    on conflict (provider) do update set next_look_at = excluded.next_look_at`;
  simulator.jobs.finish(simulator.jobs.find(over.jobId)!, 'FAILED', { error: 'it crashed' });
  const token = webhookToken(secrets['lease-key'], over.instanceId);
  await onServerlessWebhook(core, over.instanceId, token);
  expect(await stateOf(over.instanceId)).toBe('terminated');
  expect(await stateOf(other.instanceId)).toBe('booting');
  // RunPod sends it again where it did not hear us.
  await onServerlessWebhook(core, over.instanceId, token);
});

it('believes no report: a job that runs goes on', async () => {
  const { instanceId } = await rent();
  await onServerlessWebhook(core, instanceId, webhookToken(secrets['lease-key'], instanceId));
  expect(await stateOf(instanceId)).toBe('booting');
});

it('says of no instance whether there is one, to whoever has no token of it', async () => {
  const { instanceId } = await rent();
  const { length } = simulator.requests;
  for (const [id, token] of [
    [instanceId, webhookToken(secrets['lease-key'], newId())],
    [instanceId, ''],
    [newId(), 'x'.repeat(43)],
  ] as const)
    await expect(onServerlessWebhook(core, id, token)).rejects.toMatchObject({ code: 'not_found' });
  expect(simulator.requests).toHaveLength(length);
});
