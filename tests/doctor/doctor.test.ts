/** `npm run doctor`, as a program: with nothing running, and on a system where all is well. */
import { spawn } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { newId } from '../../functions/core/ids.ts';
import { labelOf } from '../../functions/core/instances/label.ts';
import { ensureCertificate } from '../../infra/certificate/certificate.ts';
import { ensureSecrets } from '../../infra/secrets/secrets.ts';
import { startRunpodPods } from '../providers/simulator/runpod-pods.ts';
import { accountKey } from '../providers/simulator/server.ts';
import { type SshSimulator, startSsh } from '../providers/simulator/ssh.ts';
import { type Stack, startStack } from '../stack/start-stack.ts';

const script = join(import.meta.dirname, '../../scripts/doctor.ts');
const image = 'registry.example/aima/worker:1';

interface Told {
  code: number | null;
  output: string;
  /** What is said of something, without its name. */
  of(about: string): string[];
}

function doctor(env: Record<string, string>): Promise<Told> {
  const child = spawn(process.execPath, [script], {
    env: { PATH: process.env.PATH, AIMA_WORKER_IMAGE: image, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  const of = (about: string) =>
    output.split('\n').flatMap((line) => {
      const match = /^(ok {3}|FAULT) {2}(.{18}) (.*)$/.exec(line);
      return match && match[2]!.trim() === about ? [`${match[1]!.trim()}: ${match[3]}`] : [];
    });
  return new Promise((resolve) => child.on('close', (code) => resolve({ code, output, of })));
}

describe('where nothing runs', () => {
  // Nothing listens on these.
  const ports = Object.fromEntries(
    ['GATEWAY', 'S3', 'MQTT', 'MQTT_WS', 'POSTGRES'].map((name, n) => [`AIMA_${name}_PORT`, String(801 + n)]),
  );

  async function installation(secrets: Record<string, string>) {
    const folder = await mkdtemp(join(tmpdir(), 'aima-doctor-'));
    onTestFinished(() => rm(folder, { recursive: true }));
    const { 'owner-id': owner } = await ensureSecrets(join(folder, 'secrets'));
    for (const [name, value] of Object.entries(secrets))
      await writeFile(join(folder, 'secrets', name), value);
    return { folder, owner };
  }

  async function pods() {
    const simulator = await startRunpodPods();
    onTestFinished(() => simulator.close());
    return simulator;
  }

  it('tells of the provider all the same, and what is at fault', async () => {
    const { folder, owner } = await installation({ 'runpod-api-key': accountKey });
    const { market, url } = await pods();
    const label = labelOf(owner, newId());
    for (const one of [label, 'somebody-else'])
      market.rent({ offerId: market.offers[0]!.id, label: one, environment: {}, request: {} }, null);
    const env = { AIMA_DATA_DIR: folder, AIMA_PROVIDERS: 'runpod-pods', AIMA_RUNPOD_URL: url, ...ports };
    const { code, output, of } = await doctor(env);
    expect(code).toBe(1);
    for (const service of ['postgres', 'mqtt', 's3', 'gateway'])
      expect(of(service), service).toEqual([expect.stringMatching(/^FAULT: .*ECONNREFUSED.*Start it/)]);
    expect(of('secrets')).toEqual([expect.stringContaining('ok: all there')]);
    expect(of('public address')).toContainEqual(
      expect.stringContaining('FAULT: AIMA_PUBLIC_HOST is not set'),
    );
    const said = of('runpod-pods');
    expect(said).toContain('ok: answers; 1 of our machines and 1 of others are there');
    expect(said).toContainEqual(expect.stringContaining(`ok:   ${label} is `));
    const prices = said.flatMap((line) => /\$([\d.]+) an hour$/.exec(line)?.[1] ?? []).map(Number);
    expect(prices).toHaveLength(5);
    expect(prices).toEqual(prices.toSorted((a, b) => a - b));
    expect(said).toContainEqual(expect.stringContaining("dead man's switch"));
    expect(of('clock')).toEqual([expect.stringContaining('ok: within')]);
    for (const name of await readdir(join(folder, 'secrets'))) {
      const secret = (await readFile(join(folder, 'secrets', name), 'utf8')).trim();
      if (secret.length > 12) expect(output, name).not.toContain(secret);
    }
  });

  it('says that a key is not taken, and what is asked for and forbidden by policy', async () => {
    const { folder } = await installation({ 'runpod-api-key': 'a-key-of-nobody' });
    const { url } = await pods();
    const env = { AIMA_DATA_DIR: folder, AIMA_PROVIDERS: 'local', AIMA_RUNPOD_URL: url, ...ports };
    const { code, output, of } = await doctor({ ...env, AIMA_MAX_DOLLARS_PER_HOUR: '0.01' });
    expect(code).toBe(1);
    const faults = of('runpod-pods').filter((line) => line.startsWith('FAULT'));
    expect(faults).toEqual([expect.stringMatching(/^FAULT: .*401.* Put a key that works/)]);
    expect(of('runpod-pods')[0]).toContain('not among AIMA_PROVIDERS');
    expect(of('public address')).toEqual([expect.stringContaining('ok: not needed')]);
    expect(output).not.toContain('a-key-of-nobody');
    await writeFile(join(folder, 'secrets', 'runpod-api-key'), accountKey);
    const dear = await doctor({ ...env, AIMA_MAX_DOLLARS_PER_HOUR: '0.01' });
    expect(dear.of('runpod-pods')).toContainEqual(
      expect.stringMatching(/policy and stock leave 0, such as: .*\$0.010 an hour allowed/),
    );
  });

  it('names what a configured provider lacks, and every secret that is missing', async () => {
    const { folder } = await installation({});
    await rm(join(folder, 'secrets', 'lease-key'));
    const { code, of } = await doctor({ AIMA_DATA_DIR: folder, AIMA_PROVIDERS: 'vast', ...ports });
    expect(code).toBe(1);
    expect(of('vast')).toEqual([expect.stringContaining('FAULT: The secret vast-api-key is missing')]);
    expect(of('secrets')).toEqual([expect.stringContaining('FAULT: lease-key missing in')]);
  });

  it('says how to make a host of one’s own known', async () => {
    const simulator = await startSsh({ image });
    onTestFinished(() => simulator.close());
    const { folder } = await installation({ 'ssh-private-key': simulator.privateKey, 'ssh-known-hosts': '' });
    const { of } = await doctor({
      AIMA_DATA_DIR: folder,
      AIMA_PROVIDERS: 'ssh',
      AIMA_SSH_HOSTS: simulator.host,
      ...ports,
    });
    expect(of('ssh')).toContainEqual(
      expect.stringMatching(/^FAULT: The host key of .* is not known: get its lines with "ssh-keyscan -p/),
    );
  });
});

describe('where all runs', () => {
  let stack: Stack;
  let simulator: SshSimulator;

  beforeAll(async () => {
    [stack, simulator] = await Promise.all([
      startStack({
        env: { AIMA_PUBLIC_HOST: '127.0.0.1', AIMA_PUBLIC_MQTT_PORT: '0', AIMA_PUBLIC_S3_PORT: '0' },
      }),
      startSsh({ image }),
    ]);
    await writeFile(join(stack.dataDir, 'secrets', 'ssh-private-key'), simulator.privateKey);
    await writeFile(join(stack.dataDir, 'secrets', 'ssh-known-hosts'), simulator.knownHosts);
  });
  afterAll(() => Promise.all([stack?.remove(), simulator?.close()]));

  const look = () => doctor({ ...stack.env, AIMA_PROVIDERS: 'ssh,local', AIMA_SSH_HOSTS: simulator.host });

  it('finds that all is well', async () => {
    const { code, output, of } = await look();
    expect(output).not.toContain('FAULT');
    expect(output).toContain('All is well.');
    expect(code).toBe(0);
    expect(of('public address')).toHaveLength(3);
    expect(of('ssh')).toContainEqual(expect.stringContaining('RTX 3090'));
  });

  it('does not take another certificate than the one that workers are given', async () => {
    const secrets = join(stack.dataDir, 'secrets');
    await rm(join(secrets, 'server-key'));
    await ensureCertificate(secrets, '127.0.0.1');
    const { code, of } = await look();
    expect(of('public address').map((line) => line.slice(0, 16))).toEqual([
      'FAULT: Postgres ',
      'FAULT: MQTT at 1',
      'FAULT: S3 at htt',
    ]);
    expect(code).toBe(1);
  });
});
