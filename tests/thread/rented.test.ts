/**
 * The whole way of a job through each provider: `npm start` with the real adapter, the provider's
 * simulator, and in its machine the real worker program, which comes back over TLS.
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { modelsDir } from '../../gpu-worker/models/model-folder.ts';
import { wav } from '../../scripts/bench/wav.ts';
import { image, type Running, simulatedProviders } from '../providers/simulated.ts';
import { realClock } from '../providers/simulator/clock.ts';
import { processContainer } from '../providers/simulator/process-container.ts';
import { type Client, startClient } from './client.ts';

/** RunPod's two are one account at one address: not at the same time. */
const groups = [['runpod-pods', 'vast', 'shadeform', 'salad', 'ssh'], ['runpod-serverless']];

describe.each(groups.map((names) => ({ names })))('$names', ({ names }) => {
  const running = new Map<string, Running>();
  const said: string[] = [];
  let client: Client;

  beforeAll(async () => {
    const startContainer = processContainer({
      modelsDir: modelsDir(process.env),
      onLine: (id, line) => said.push(`${id} | ${line}`),
    });
    for (const provider of simulatedProviders) {
      if (names.includes(provider.name))
        running.set(
          provider.name,
          await provider.start({ clock: realClock, startContainer, acceptMs: 50, pullMs: 50 }),
        );
    }
    const all = [...running.values()];
    client = await startClient({
      env: {
        AIMA_PROVIDERS: names.join(','),
        AIMA_PUBLIC_HOST: '127.0.0.1',
        AIMA_PUBLIC_MQTT_PORT: '0',
        AIMA_PUBLIC_S3_PORT: '0',
        AIMA_WORKER_IMAGE: image,
        ...Object.assign({}, ...all.map(({ environment }) => environment)),
      },
    });
    const secrets = all.flatMap((one) => Object.entries(one.secrets));
    await Promise.all(
      secrets.map(([name, value]) => writeFile(join(client.stack.dataDir, 'secrets', name), value)),
    );
  });
  afterAll(async () => {
    await client?.remove();
    await Promise.all([...running.values()].map(({ simulator }) => simulator.close()));
  });

  it.each(names)('%s: rented, used once, given back, and counted as it was billed', async (name) => {
    const others = names.filter((one) => one !== name);
    await client.sql`delete from providers`;
    for (const provider of others)
      await client.sql`
        insert into providers (provider, paused_until_at, pause_reason)
        values (${provider}, now() + interval '1 hour', 'not its turn')`;
    const { market } = running.get(name)!.simulator;

    const { jobs } = await client.submit({ name: 'silence.wav', preset: 'metadata' });
    await client.put(jobs[0]!.upload!.url!, wav);
    const job = await client.finished(jobs[0]!.jobId).catch((error: Error) => {
      throw new Error(`${error.message}\n${said.join('\n')}`);
    });
    expect(job, said.join('\n')).toMatchObject({ state: 'succeeded' });
    await client.nothingRuns();
    expect(market.machines).toHaveLength(1);
    expect(market.alive()).toEqual([]);
    const [lease] = await client.sql<
      { provider: string; reason: string; costMicrodollars: number; billedFrom: string }[]
    >`select provider, reason, cost_microdollars, offer ->> 'billedFrom' as billed_from
      from instances order by instance_id desc limit 1`;
    expect(lease).toMatchObject({ provider: name, reason: 'done' });
    // Counted from the request until the proof that it is gone: never less than was billed. Where a
    // provider bills from the container's start, that is only known to the second of the worker's word.
    const billed = market.cost(market.machines[0]!) * 1e6;
    if (lease!.billedFrom === 'request')
      expect(lease!.costMicrodollars).toBeGreaterThanOrEqual(Math.floor(billed));
  });
});
