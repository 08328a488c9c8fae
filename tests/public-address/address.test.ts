import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Config, loadConfig } from '../../functions/core/config.ts';
import { openCore } from '../../functions/core/core.ts';
import { newId } from '../../functions/core/ids.ts';
import { workerEnvironment } from '../../functions/core/instances/credentials.ts';
import { openProviders } from '../../functions/core/providers/providers.ts';
import { requirePublicAddress, whyUnreachable } from '../../functions/core/public-address.ts';
import { ensureCertificate, readCertificate } from '../../infra/certificate/certificate.ts';
import { startVast } from '../providers/simulator/vast.ts';

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'aima-address-'));
  await writeFile(join(dir, 'lease-key'), 'lease key');
  await writeFile(join(dir, 'vast-api-key'), 'vast key');
});
afterEach(() => rm(dir, { recursive: true }));

const config = (env: Record<string, string> = {}): Config =>
  loadConfig({ AIMA_SECRETS_DIR: dir, AIMA_PROVIDERS: 'vast', AIMA_WORKER_IMAGE: 'image', ...env });

const addresses = {
  AIMA_PUBLIC_HOST: '192.0.2.1',
  AIMA_PUBLIC_POSTGRES_PORT: '15432',
  AIMA_PUBLIC_MQTT_PORT: '18883',
  AIMA_S3_WORKER_ENDPOINT: 'https://192.0.2.1:9443',
};

describe('the public address', () => {
  it('is whole, or all that it lacks is named', async () => {
    expect(whyUnreachable(config())).toBe(
      'Rented machines could not reach this server: AIMA_PUBLIC_HOST is not set; ' +
        'AIMA_S3_WORKER_ENDPOINT or AIMA_S3_PUBLIC_ENDPOINT must be an https address; ' +
        'the secret server-certificate is missing.',
    );
    const plain = { ...addresses, AIMA_S3_WORKER_ENDPOINT: 'http://192.0.2.1:9000' };
    await writeFile(join(dir, 'server-certificate'), 'nonsense');
    expect(() => requirePublicAddress(config(plain))).toThrow(
      /must be an https address; the secret server-certificate is no certificate in PEM form\.$/,
    );
    await rm(join(dir, 'server-certificate'));
    await ensureCertificate(dir, '192.0.2.1');
    expect(whyUnreachable(config(addresses))).toBeNull();
    // A server behind a proxy has one https address for browsers and workers.
    const { AIMA_S3_WORKER_ENDPOINT, ...proxied } = addresses;
    const { s3Endpoint } = requirePublicAddress(
      config({ ...proxied, AIMA_S3_PUBLIC_ENDPOINT: 'https://aima.example' }),
    );
    expect(s3Endpoint).toBe('https://aima.example');
  });

  it('is what rented providers need to rent, and not to see and end what they have', async () => {
    const simulator = await startVast();
    const url = { AIMA_VAST_URL: simulator.url };
    const vast = openProviders(config(url)).get('vast')!;
    await expect(vast.offers()).rejects.toThrow(/could not reach this server: AIMA_PUBLIC_HOST is not set/);
    const refused = await vast.create({
      label: 'aima-0wner0-x',
      offer: {} as never,
      environment: {},
      deadlineAt: new Date(),
      maxCostMicrodollars: 0,
    });
    expect(refused).toMatchObject({ kind: 'refused', why: 'invalid' });
    expect(simulator.requests).toEqual([]);
    await vast.list().catch(() => {});
    expect(simulator.requests).toHaveLength(1);
    await simulator.close();
  });
});

describe('the environment of a worker', () => {
  const lease = {
    instanceId: newId(),
    offer: { gpu: 'NVIDIA L4' },
    deadlineAt: new Date(Date.now() + 60_000),
  };

  it('on a rented machine has the public addresses, over TLS, and the certificate to be found there', async () => {
    await ensureCertificate(dir, '192.0.2.1');
    const env = workerEnvironment(openCore(config(addresses)), lease, { isRemote: true });
    const database = new URL(env.AIMA_DATABASE_URL!);
    expect([database.host, database.username]).toEqual([
      '192.0.2.1:15432',
      `aima_worker_${lease.instanceId}`,
    ]);
    const broker = new URL(env.AIMA_MQTT_URL!);
    expect([broker.protocol, broker.host]).toEqual(['mqtts:', '192.0.2.1:18883']);
    expect(Buffer.from(env.AIMA_SERVER_CERTIFICATE!, 'base64').toString().trim()).toBe(
      (await readCertificate(dir)).certificate.trim(),
    );
    expect(env.AIMA_SERVER_CERTIFICATE!.length).toBeLessThan(4096);
    expect(env.AIMA_DEVICE).toBe('cuda');
    expect(Number(env.AIMA_MAX_LIFETIME_SECONDS)).toBeGreaterThan(50);
    expect(Number(env.AIMA_MAX_LIFETIME_SECONDS)).toBeLessThanOrEqual(60);
  });

  it('has no secret of the server in it', async () => {
    await ensureCertificate(dir, '192.0.2.1');
    const env = workerEnvironment(openCore(config(addresses)), lease, { isRemote: true });
    const text = Object.values(env).join('\n');
    for (const secret of ['lease key', 'vast key', (await readCertificate(dir)).key])
      expect(text).not.toContain(secret);
  });

  it('on this machine has the addresses on loopback', () => {
    const offer = { gpu: null };
    const env = workerEnvironment(openCore(config()), { ...lease, offer }, { isRemote: false });
    expect(new URL(env.AIMA_DATABASE_URL!).host).toBe('127.0.0.1:54320');
    expect(new URL(env.AIMA_MQTT_URL!).protocol).toBe('mqtt:');
    expect(env).not.toHaveProperty('AIMA_SERVER_CERTIFICATE');
    expect(env.AIMA_DEVICE).toBe('cpu');
  });

  it('is refused for a rented machine without a public address', () => {
    expect(() => workerEnvironment(openCore(config()), lease, { isRemote: true })).toThrow(
      'Rented machines could not reach this server',
    );
  });
});
