/**
 * Every service of the compose file as a process with the file's command, environment, user, mounts and order, on
 * this machine's Postgres, Mosquitto, MinIO and Caddy; then a medium goes the whole way in from outside.
 */
import { spawn } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { connect as connectPlainly, type Socket } from 'node:net';
import path from 'node:path';
import { connect as connectTls } from 'node:tls';
import postgres from 'postgres';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { pinned } from '../../functions/core/pinned-certificate.ts';
import { readComposeFile } from './compose-file.ts';
import { type Installation, openNetwork, startInstallation } from './installation.ts';
import { type Outside, openOutside } from './outside.ts';

const network = await openNetwork('the compose file as processes');

describe.skipIf(network === null)('compose as processes', () => {
  let it: Installation;
  let outside: Outside;

  beforeAll(async () => {
    outside = await openOutside(network!);
    it = await startInstallation(network!);
  });

  afterAll(async () => {
    await outside?.remove();
    await it?.remove();
    await network!.remove();
  });

  test('a medium that is uploaded becomes a queued job by the store’s event', async () => {
    const { jobId, url } = await it.upload({});
    expect(url).toMatch(`https://${network!.there}/media/uploads/`);
    await it.jobUntil(jobId, 'queued');
  });

  test('only the chosen routes are there', async () => {
    const hidden = [
      ['GET', '/'],
      ['GET', '/system/functions'],
      ['POST', '/async-function/jobs'],
      ['POST', '/function/orchestrate'],
      ['POST', '/function/on-complete'],
      ['GET', '/function/jobs.openfaas-fn'],
      ['GET', '/function/jobs/metrics'],
      ['GET', '/minio/health/ready'],
    ] as const;
    for (const [method, target] of hidden) {
      const { status } = await it.call(method, target, { headers: it.authorized });
      expect([target, status]).toEqual([target, 404]);
    }
    expect((await it.call('GET', '/function/orchestrate', { headers: it.authorized })).status).toBe(200);
    expect((await it.call('GET', '/function/jobs')).status).toBe(401);
  });

  test('the body that unpatched stores take without a signature never reaches the store', async () => {
    const { status } = await it.call('PUT', '/media/uploads/x', {
      headers: { 'x-amz-content-sha256': 'STREAMING-UNSIGNED-PAYLOAD-TRAILER' },
    });
    expect(status).toBe(403);
  });

  test('the broker shows the certificate that workers are handed', async () => {
    const shown = await new Promise((resolve, reject) => {
      const socket = connectTls({ host: network!.there, port: 8883, ca: it.certificate }, () => {
        resolve(socket.getPeerX509Certificate()?.raw);
        socket.destroy();
      });
      socket.on('error', reject);
    });
    expect(shown).toEqual(new X509Certificate(it.certificate).raw);
  });

  test('from outside only logins of leases get into the database, and only with TLS', async () => {
    const passwords = {
      postgres: await it.secret('postgres-password'),
      aima_functions: await it.secret('database-password'),
      lease: 'lease',
    };
    const login = async (user: keyof typeof passwords, from: string, ssl: boolean): Promise<string> => {
      const sql = postgres({
        host: network!.there,
        database: 'aima',
        user,
        password: passwords[user],
        ssl: ssl && pinned(it.certificate),
        max: 1,
        socket: () => openFrom(from),
      } as postgres.Options<Record<string, never>>);
      try {
        if (user === 'postgres') await sql`create role lease login password 'lease' in role aima_worker`;
        else await sql`select 1`;
        return 'in';
      } catch (error) {
        return (error as { code: string }).code;
      } finally {
        await sql.end();
      }
    };
    const openFrom = (localAddress: string) =>
      new Promise<Socket>((resolve, reject) => {
        const socket = connectPlainly({ host: network!.there, port: 5432, localAddress }, () =>
          resolve(socket),
        );
        socket.once('error', reject);
      });

    expect(await login('postgres', network!.here, false)).toBe('in');
    const refused = '28000'; // no line of pg_hba.conf fits
    expect(await login('postgres', outside.address, true)).toBe(refused);
    expect(await login('aima_functions', outside.address, true)).toBe(refused);
    expect(await login('lease', outside.address, false)).toBe(refused);
    expect(await login('lease', outside.address, true)).toBe('in');
  });

  test('each user reads its own secrets and no other', async () => {
    const folders = ['all', 'gateway', 'connector', 'postgres', 'broker', 's3', 'proxy', 'setup'];
    const [program, args] = ['setpriv', ['--reuid=10002', '--regid=10002', '--clear-groups', 'ls']] as const;
    const readable = await Promise.all(
      folders.map(async (folder) => {
        const child = spawn(program, [...args, path.join(it.volumes, 'secrets', folder)], {
          stdio: 'ignore',
        });
        return [folder, (await new Promise((resolve) => child.once('close', resolve))) === 0];
      }),
    );
    expect(readable.filter(([, can]) => can)).toEqual([['connector', true]]);
  });

  test('a second up changes nothing', async () => {
    await it.engine.up();
    expect(it.engine.output('database')).toMatch(/nothing to migrate\n$/);
    expect(it.engine.output('broker-logins')).toMatch(/nothing to change in \S+\n$/);
  });

  test('nothing prints a secret', async () => {
    const names = [
      'api-token',
      'postgres-password',
      'database-password',
      's3-secret-key',
      'mqtt-objects-password',
    ];
    for (const name of names) {
      const value = await it.secret(name);
      const service = Object.keys(readComposeFile({ AIMA_PUBLIC_HOST: 'any' }).services).find((one) =>
        it.engine.output(one).includes(value),
      );
      expect([name, service]).toEqual([name, undefined]);
    }
  });
});
