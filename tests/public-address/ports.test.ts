import { createServer } from 'node:net';
import { expect, it } from 'vitest';
import { choosePorts } from '../../infra/embedded/ports.ts';
import { serviceEnvironment } from '../../infra/embedded/supervisor/environment.ts';

const names = ['GATEWAY', 'S3', 'MQTT', 'MQTT_WS', 'POSTGRES', 'PUBLIC_MQTT', 'PUBLIC_S3'];
const anyPorts = Object.fromEntries(names.map((name) => [`AIMA_${name}_PORT`, '0']));

it('without a public address there are no public ports', async () => {
  const ports = await choosePorts(anyPorts);
  expect(Object.keys(ports)).not.toContain('AIMA_PUBLIC_MQTT_PORT');
  expect(serviceEnvironment({}, '/data', ports)).not.toHaveProperty('AIMA_S3_WORKER_ENDPOINT');
});

it('with one there are two more, and Postgres has one for both', async () => {
  const env = { ...anyPorts, AIMA_PUBLIC_HOST: '2001:db8::1' };
  const ports = await choosePorts(env);
  expect(new Set(Object.values(ports)).size).toBe(7);
  expect(serviceEnvironment(env, '/data', ports)).toMatchObject({
    AIMA_PUBLIC_HOST: '2001:db8::1',
    AIMA_PUBLIC_POSTGRES_PORT: String(ports.AIMA_POSTGRES_PORT),
    AIMA_PUBLIC_MQTT_PORT: String(ports.AIMA_PUBLIC_MQTT_PORT),
    AIMA_S3_WORKER_ENDPOINT: `https://[2001:db8::1]:${ports.AIMA_PUBLIC_S3_PORT}`,
  });
});

it('a public port that is taken on any address is named', async () => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.2', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  const env = { ...anyPorts, AIMA_PUBLIC_HOST: '192.0.2.1', AIMA_PUBLIC_S3_PORT: String(address.port) };
  await expect(choosePorts(env)).rejects.toThrow(`set AIMA_PUBLIC_S3_PORT to another port`);
  await new Promise((resolve) => server.close(resolve));
});
