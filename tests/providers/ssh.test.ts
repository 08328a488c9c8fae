/** The user's own machines over ssh: the conformance suite, and what only such machines have. */
import { createHmac } from 'node:crypto';
import { afterEach, describe, expect, it } from 'vitest';
import { newId } from '../../functions/core/ids.ts';
import { labelOf } from '../../functions/core/instances/label.ts';
import type { CreateRequest, Offer } from '../../functions/core/providers/provider.ts';
import { parseHost } from '../../functions/core/providers/ssh/hosts.ts';
import { keysOf } from '../../functions/core/providers/ssh/known-hosts.ts';
import type { SshOptions } from '../../functions/core/providers/ssh/options.ts';
import { surveyHosts } from '../../functions/core/providers/ssh/survey.ts';
import { ssh } from '../../functions/core/providers/ssh.ts';
import { conformance } from './conformance.ts';
import { manualClock } from './simulator/clock.ts';
import { type SshSimulator, type SshSimulatorOptions, startSsh } from './simulator/ssh.ts';

const image = 'registry.example/aima/worker:1';

function optionsFor(simulator: SshSimulator, changes: Partial<SshOptions> = {}): SshOptions {
  return {
    hosts: [parseHost(simulator.host)],
    privateKey: simulator.privateKey,
    knownHosts: simulator.knownHosts,
    image,
    ...changes,
  };
}

conformance('ssh', async () => {
  const clock = manualClock();
  const simulator = await startSsh({ clock, image });
  // The slowest fault takes 2 s.
  const timeoutMs = { create: 1500, other: 1500 };
  return {
    simulator,
    clock,
    provider: ssh(optionsFor(simulator, { timeoutMs })),
    strangers: ssh(optionsFor(simulator, { timeoutMs, privateKey: simulator.strangersKey })),
    // What a host has is one GPU, and it is taken when anybody's worker runs on it.
    sellOut() {
      const market = simulator.market;
      market.rent({ offerId: 'gpu', label: labelOf('others', newId()), environment: {}, request: {} }, null);
    },
  };
});

describe('own machines over ssh', () => {
  const simulators: SshSimulator[] = [];
  afterEach(() => Promise.all(simulators.splice(0).map((simulator) => simulator.close())));

  async function start(options: Partial<SshSimulatorOptions> = {}): Promise<SshSimulator> {
    const simulator = await startSsh({ clock: manualClock(), image, ...options });
    simulators.push(simulator);
    return simulator;
  }

  const request = (offer: Offer, environment: Record<string, string> = {}): CreateRequest => ({
    label: labelOf('tester', newId()),
    offer,
    environment,
    deadlineAt: new Date(),
    maxCostMicrodollars: 0,
  });

  it('offers what the driver lists, for nothing', async () => {
    const simulator = await start({ gpu: { name: 'NVIDIA GeForce RTX 4090', vramMb: 24_564 } });
    expect(await ssh(optionsFor(simulator)).offers()).toMatchObject([
      {
        offerId: simulator.host,
        gpu: 'NVIDIA GeForce RTX 4090',
        vramMb: 24_564,
        priceMicrodollarsPerHour: 0,
        available: 1,
      },
    ]);
  });

  it('does not share a GPU with the worker of another installation, nor minds other containers', async () => {
    const simulator = await start();
    const run = (label: string) =>
      simulator.market.rent({ offerId: 'gpu', label, environment: {}, request: {} }, null);
    run('postgres');
    expect(await ssh(optionsFor(simulator)).offers()).toMatchObject([{ available: 1 }]);
    run(labelOf('others', newId()));
    expect(await ssh(optionsFor(simulator)).offers()).toMatchObject([{ available: 0 }]);
  });

  it('shows what the other hosts offer while one does not answer, and calls no list whole', async () => {
    const [alive, dead] = [await start(), await start()];
    await dead.close();
    simulators.pop();
    const options = optionsFor(alive, {
      hosts: [parseHost(dead.host), parseHost(alive.host)],
      knownHosts: `${dead.knownHosts}\n${alive.knownHosts}`,
    });
    expect(await ssh(options).offers()).toMatchObject([{ offerId: alive.host }]);
    await expect(ssh(options).list()).rejects.toMatchObject({ reason: 'unavailable' });
    expect((await surveyHosts(options)).map(({ host, fault }) => [host, fault?.reason ?? null])).toEqual([
      [dead.host, 'unavailable'],
      [alive.host, null],
    ]);
  });

  it('says why a host without docker or a GPU offers nothing', async () => {
    const simulator = await start();
    simulator.market.faults.add('offers', {
      kind: 'answer',
      status: 404,
      body: 'sh: 1: nvidia-smi: not found',
      done: false,
    });
    const [report] = await surveyHosts(optionsFor(simulator));
    expect(report).toMatchObject({
      offer: null,
      fault: { message: expect.stringContaining('nvidia-smi: not found') },
    });
  });

  it('hands the worker every value as it is, and no secret to a command line', async () => {
    const simulator = await start();
    const provider = ssh(optionsFor(simulator));
    const [offer] = await provider.offers();
    const environment = {
      AIMA_A: `it's "$(id)" \\ \`x\` %40`,
      AIMA_B: '-----BEGIN-----\nline\n-----END-----\n',
    };
    await provider.create(request(offer!, environment));
    const [machine] = simulator.market.alive();
    expect(machine!.environment).toEqual({ ...environment, AIMA_PROVIDER: 'ssh' });
    expect(machine!.request).not.toContain(environment.AIMA_A);
    expect(new Set(simulator.requests.map(({ path }) => path))).toEqual(new Set(['sh']));
  });

  it('lets a host pull the image first, which takes longer than a call may', async () => {
    const simulator = await start({ hasImage: false });
    const provider = ssh(optionsFor(simulator));
    const [offer] = await provider.offers();
    expect(await provider.create(request(offer!))).toMatchObject({ kind: 'refused', why: 'no_capacity' });
    expect(simulator.hasImage()).toBe(true);
    expect(await provider.create(request(offer!))).toMatchObject({ kind: 'created' });
  });

  it('tells a container that ended from one that is gone', async () => {
    const simulator = await start();
    const provider = ssh(optionsFor(simulator));
    const [offer] = await provider.offers();
    const outcome = await provider.create(request(offer!));
    const { providerInstanceId } = outcome as Extract<typeof outcome, { kind: 'created' }>;
    simulator.market.preempt(providerInstanceId);
    expect(await provider.list()).toMatchObject([{ providerInstanceId, status: 'failed' }]);
    expect(await provider.read(providerInstanceId)).toMatchObject({ status: 'failed' });
    await provider.terminate(providerInstanceId);
    expect(await provider.read(providerInstanceId)).toBeNull();
  });

  it('calls a container broken that was made and cannot start, and reads whether it is gone', async () => {
    const simulator = await start();
    const provider = ssh(optionsFor(simulator));
    const [offer] = await provider.offers();
    const { faults } = simulator.market;
    faults.add('create', { kind: 'ailing', ailment: { kind: 'cannot_start' } });
    const outcome = await provider.create(request(offer!));
    expect(outcome).toMatchObject({
      kind: 'broken',
      detail: expect.stringContaining('unsatisfied condition'),
    });
    const { providerInstanceId } = outcome as Extract<typeof outcome, { kind: 'broken' }>;
    expect(await provider.list()).toMatchObject([{ providerInstanceId, status: 'starting' }]);
    faults.add('terminate', { kind: 'denied' });
    await provider.terminate(providerInstanceId);
    expect(await provider.read(providerInstanceId)).not.toBeNull();
    await provider.terminate(providerInstanceId);
    expect(await provider.read(providerInstanceId)).toBeNull();
  });

  it('never calls a machine gone that is on a host it does not know any more', async () => {
    const simulator = await start();
    const provider = ssh(optionsFor(simulator));
    await expect(provider.read(`gone@example.com/${labelOf('tester', newId())}`)).rejects.toMatchObject({
      reason: 'refused',
    });
  });

  it('trusts no host at first sight, and says how to make it known', async () => {
    const [simulator, other] = [await start(), await start()];
    const provider = ssh(optionsFor(simulator, { knownHosts: other.knownHosts }));
    await expect(provider.list()).rejects.toMatchObject({
      reason: 'unauthorized',
      message: expect.stringContaining('ssh-keyscan -p'),
    });
    expect(simulator.requests).toEqual([]);
  });

  it('refuses a host whose key has changed or was revoked', async () => {
    const [simulator, other] = [await start(), await start()];
    const [name, type, key] = simulator.knownHosts.split(' ');
    for (const knownHosts of [
      `${name} ${other.knownHosts.split(' ').slice(1).join(' ')}`,
      `${simulator.knownHosts}\n@revoked ${name} ${type} ${key}`,
    ]) {
      await expect(ssh(optionsFor(simulator, { knownHosts })).list()).rejects.toMatchObject({
        reason: 'unauthorized',
      });
    }
    expect(simulator.requests).toEqual([]);
  });

  it('says so where the private key cannot be read', async () => {
    const simulator = await start();
    const provider = ssh(optionsFor(simulator, { privateKey: 'not a key' }));
    await expect(provider.list()).rejects.toMatchObject({
      reason: 'unauthorized',
      message: expect.stringContaining('ssh-private-key'),
    });
  });
});

describe('known_hosts', () => {
  const key = Buffer.from('a key').toString('base64');
  const known = (lines: string, host = 'me@gpu.example:2222') => keysOf(parseHost(host), lines).known.length;

  it('knows names with and without a port, one of several, and in any case', () => {
    expect(known(`[gpu.example]:2222 ssh-ed25519 ${key}`)).toBe(1);
    expect(known(`gpu.example ssh-ed25519 ${key}`)).toBe(0);
    expect(known(`other,GPU.example ssh-ed25519 ${key} comment`, 'me@gpu.example')).toBe(1);
    expect(known(`10.0.0.1,[gpu.example]:2222 ssh-rsa ${key}\n[gpu.example]:2222 ssh-ed25519 ${key}`)).toBe(
      2,
    );
  });

  it('knows hashed names', () => {
    const salt = Buffer.from('salt');
    const hash = createHmac('sha1', salt).update('[gpu.example]:2222').digest('base64');
    const line = `|1|${salt.toString('base64')}|${hash} ssh-ed25519 ${key}`;
    expect(known(line)).toBe(1);
    expect(known(line, 'me@gpu.example:2223')).toBe(0);
  });

  it('knows nobody by a comment, a pattern or an authority', () => {
    for (const line of [
      `# gpu.example ssh-ed25519 ${key}`,
      `* ssh-ed25519 ${key}`,
      `@cert-authority gpu.example ssh-ed25519 ${key}`,
      `gpu.example sk-ssh-ed25519@openssh.com ${key}`,
      'gpu.example',
    ])
      expect(known(line, 'me@gpu.example'), line).toBe(0);
  });

  it('takes IPv6 addresses in brackets, and nothing that is no host', () => {
    expect(parseHost('me@[fd00::1]:2222')).toMatchObject({ address: 'fd00::1', port: 2222 });
    for (const text of ['gpu.example', 'me@', 'me@host:port', 'me@ho st', 'me@host/x', '@host'])
      expect(() => parseHost(text), text).toThrow('AIMA_SSH_HOSTS');
  });
});
