/** `npm run stop-everything`, as a program, where Postgres is down and only the data folder is there. */
import { spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { newId } from '../../functions/core/ids.ts';
import { labelOf } from '../../functions/core/instances/label.ts';
import { ensureSecrets } from '../../infra/secrets/secrets.ts';
import { startRunpodPods } from '../providers/simulator/runpod-pods.ts';
import { startRunpodServerless } from '../providers/simulator/runpod-serverless.ts';
import { accountKey } from '../providers/simulator/server.ts';

const script = join(import.meta.dirname, '../../scripts/stop-everything.ts');

async function dataFolder() {
  const folder = await mkdtemp(join(tmpdir(), 'aima-stop-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const secrets = await ensureSecrets(join(folder, 'secrets'));
  await writeFile(join(folder, 'secrets', 'runpod-api-key'), accountKey);
  return { folder, owner: secrets['owner-id'] };
}

function run(args: string[], env: Record<string, string>): Promise<{ code: number | null; output: string }> {
  // Nothing listens on port 1.
  const child = spawn(process.execPath, [script, ...args], {
    env: { PATH: process.env.PATH, AIMA_POSTGRES_PORT: '1', AIMA_WORKER_IMAGE: 'aima/worker:1', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += chunk));
  return new Promise((resolve) => child.on('close', (code) => resolve({ code, output })));
}

it('ends what is there, and is not content while something created just before may show late', async () => {
  const { folder, owner } = await dataFolder();
  const simulator = await startRunpodPods();
  onTestFinished(() => simulator.close());
  const { market } = simulator;
  const rent = (label: string) =>
    market.rent({ offerId: market.offers[0]!.id, label, environment: {}, request: {} }, null);
  rent(labelOf(owner, newId()));
  rent('somebody-else');
  // The key is there, so it is asked although nothing is rented from it any more.
  const { code, output } = await run(['--provider', 'runpod-pods', '--minutes', '0.1'], {
    AIMA_DATA_DIR: folder,
    AIMA_PROVIDERS: 'local',
    AIMA_RUNPOD_URL: simulator.url,
  });
  expect(market.alive().map(({ label }) => label)).toEqual(['somebody-else']);
  expect(output).toContain('The queue is not held');
  expect(output).toContain('runpod-pods: 1 found, 1 confirmed gone; NOT CONFIRMED: looking on until');
  expect(output).not.toContain(accountKey);
  expect(code).toBe(1);
});

it('ends with 0 only when all is confirmed', async () => {
  const { folder } = await dataFolder();
  const simulator = await startRunpodServerless();
  onTestFinished(() => simulator.close());
  const env = {
    AIMA_DATA_DIR: folder,
    AIMA_RUNPOD_URL: simulator.url,
    AIMA_RUNPOD_SERVERLESS_URL: simulator.url,
    AIMA_RUNPOD_ENDPOINT: simulator.endpointId,
  };
  const only = ['--provider', 'runpod-serverless'];
  expect(await run(only, env)).toMatchObject({ code: 0 });
  await writeFile(join(folder, 'secrets', 'runpod-api-key'), 'another-key');
  const refused = await run([...only, '--minutes', '0.05'], env);
  expect(refused).toMatchObject({ code: 1, output: expect.stringContaining('NOT CONFIRMED') });
});

it('knows which providers there are, and says what a configured one lacks', async () => {
  const { folder } = await dataFolder();
  expect(await run(['--provider', 'nobody'], { AIMA_DATA_DIR: folder })).toMatchObject({ code: 2 });
  const lacking = await run(['--provider', 'ssh', '--minutes', '0.01'], {
    AIMA_DATA_DIR: folder,
    AIMA_PROVIDERS: 'ssh',
  });
  expect(lacking).toMatchObject({ code: 1, output: expect.stringContaining('AIMA_SSH_HOSTS names no host') });
});
