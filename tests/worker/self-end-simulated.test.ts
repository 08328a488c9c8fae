/** The real worker in a machine of a simulated provider, whose lease is over: nothing of it stays. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type FreshDatabase, freshDatabase, insertInstance } from '../database/fresh.ts';
import type { StartContainer } from '../providers/simulator/market.ts';
import { startRunpodPods } from '../providers/simulator/runpod-pods.ts';
import type { Simulator } from '../providers/simulator/server.ts';
import { startVast } from '../providers/simulator/vast.ts';

const program = join(import.meta.dirname, '..', '..', 'gpu-worker', 'main.ts');

let database: FreshDatabase;
beforeAll(async () => {
  database = await freshDatabase();
});
afterAll(() => database.close());

const startContainer: StartContainer = (_machine, _market, environment) => {
  const child = spawn(process.execPath, [program], {
    stdio: 'ignore',
    env: { PATH: process.env.PATH, HOME: process.env.HOME, ...environment },
  });
  return { kill: () => child.kill('SIGKILL'), ended: once(child, 'exit').then(() => undefined) };
};

/** Rents a machine for a lease that is over: what its worker says is refused. */
async function rentForNothing(simulator: Simulator, provider: string): Promise<void> {
  const instanceId = await insertInstance(database.functions, 'terminated');
  const environment = {
    AIMA_INSTANCE_ID: instanceId,
    AIMA_DATABASE_URL: database.url(`aima_worker_${instanceId}`, 'secret'),
    AIMA_MQTT_URL: 'mqtt://127.0.0.1:1',
    AIMA_PROVIDER: provider,
    AIMA_PROVIDER_URL: simulator.url,
  };
  const { market } = simulator;
  const { id: offerId } = market.offers.find((offer) => offer.stock > 0)!;
  market.rent({ offerId, label: 'aima-test', environment, request: {} }, null);
}

it.each([
  ['runpod-pods', startRunpodPods],
  ['vast', startVast],
] as const)('%s: the machine is gone, although the first request is lost', async (name, start) => {
  const simulator = await start({ startContainer, acceptMs: 0, pullMs: 0 });
  simulator.market.faults.add('terminate', { kind: 'dropped' });
  await rentForNothing(simulator, name);
  expect(simulator.market.alive()).toHaveLength(1);
  while (simulator.market.alive().length > 0) await sleep(50);
  const asked = simulator.requests.filter(({ method }) => method === 'DELETE');
  expect(asked.length).toBeGreaterThanOrEqual(2);
  await simulator.close();
});
