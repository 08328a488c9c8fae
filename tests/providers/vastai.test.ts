/**
 * Vast's own CLI (PyPI: vastai, tried with 1.9.1) rents from the simulator as it would from Vast.
 * Where it is installed: on the PATH, or in the Python environment that AIMA_TEST_VASTAI names.
 */
import { execFile, spawnSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { accountKey, type Simulator } from './simulator/server.ts';
import { startVast } from './simulator/vast.ts';

const environment = process.env.AIMA_TEST_VASTAI;
const program = environment ? join(environment, 'bin', 'vastai') : 'vastai';
const isInstalled = spawnSync(program, ['--version']).status === 0;
if (!isInstalled) console.warn('vastai is not installed: its CLI is not tried against the simulator.');

describe.skipIf(!isInstalled)('the CLI of Vast', () => {
  let simulator: Simulator;
  let home: string;
  beforeEach(async () => {
    home = await mkdtemp(join(tmpdir(), 'aima-vastai-'));
    simulator = await startVast();
  });
  afterEach(async () => {
    await simulator.close();
    await rm(home, { recursive: true, force: true });
  });

  async function vastai(...args: string[]): Promise<string> {
    const { stdout } = await promisify(execFile)(
      program,
      ['--url', simulator.url, '--api-key', accountKey, '--no-color', ...args],
      { env: { PATH: process.env.PATH, HOME: home, VASTAI_NO_UPDATE_CHECK: '1' } },
    );
    return stdout;
  }
  const raw = async (...args: string[]) => JSON.parse(await vastai('--raw', ...args));

  it('searches, rents, looks, labels and destroys', async () => {
    const wanted = 'reliability>0.9 num_gpus=1 gpu_ram>=20 cuda_vers>=12.4 dph<1 geolocation in [US,DE]';
    const offers = await raw('search', 'offers', wanted, '-o', 'dph', '--storage', '40');
    expect(offers.map(({ id }: { id: number }) => id)).toEqual([7_100_102]);

    const options = [
      '--image',
      'x/y:1',
      '--disk',
      '40',
      '--label',
      'ours',
      '--env',
      '-e A=b',
      '--cancel-unavail',
    ];
    const made = await raw('create', 'instance', '7100102', ...options, '--args', 'run');
    expect(made).toMatchObject({ success: true, new_contract: 20_000_001 });
    expect(simulator.market.alive()[0]).toMatchObject({ label: 'ours', environment: { A: 'b' } });

    await expect.poll(() => simulator.market.alive()[0]!.phase).toBe('running');
    const instances = await raw('show', 'instances');
    expect(instances).toHaveLength(1);
    expect(instances[0]).toMatchObject({ id: 20_000_001, label: 'ours', actual_status: 'running' });
    expect(await vastai('show', 'instance', '20000001')).toContain('RTX_3090');

    expect(await vastai('label', 'instance', '20000001', 'other')).toContain('set to other');
    expect(await vastai('destroy', 'instance', '20000001', '-y')).toContain('destroying instance 20000001');
    expect(simulator.market.alive()).toEqual([]);
    expect(await raw('show', 'instances')).toEqual([]);
  });

  it('rents by bid, and shows what was charged', async () => {
    const [offer] = await raw('search', 'offers', 'gpu_name=A100_SXM4', '--type', 'bid');
    expect(offer).toMatchObject({ id: 7_100_103, is_bid: true, dph_base: 0.7 });
    await raw('create', 'instance', '7100103', '--image', 'x/y:1', '--bid_price', '0.75');
    await expect.poll(() => simulator.market.alive()[0]!.phase).toBe('running');
    const [instance] = await raw('show', 'instances');
    expect(instance).toMatchObject({ is_bid: true, gpu_name: 'A100 SXM4' });
    await vastai('destroy', 'instance', '20000001', '-y');
    expect(await vastai('show', 'invoices-v1', '--charges')).toContain('20000001');
  });
});
