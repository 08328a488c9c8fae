/** Whether rented machines could reach this server: the three ports, each over TLS, as a worker meets them. */
import { connect as connectTcp, type Socket } from 'node:net';
import { type ConnectionOptions, connect as connectTls, getCACertificates } from 'node:tls';
import type { Config } from '../../functions/core/config.ts';
import { pinned } from '../../functions/core/pinned-certificate.ts';
import { publicAddressFaults, requirePublicAddress } from '../../functions/core/public-address.ts';
import { examine, type Finding, fault, ok } from './finding.ts';

const patienceMs = 5_000;

/** @param isNeeded a provider is configured whose machines are elsewhere. */
export async function examinePublicAddress(config: Config, isNeeded: boolean): Promise<Finding[]> {
  const about = 'public address';
  const faults = publicAddressFaults(config);
  if (faults.length > 0) {
    if (!isNeeded) return [ok(about, 'not needed: no configured provider rents machines elsewhere')];
    return faults.map((text) => fault(about, text, 'Nothing is rented without it.'));
  }
  const { host, postgresPort, mqttPort, s3Endpoint, certificate } = requirePublicAddress(config);
  const name = host.replace(/^\[|\]$/g, '');
  const s3 = new URL(s3Endpoint);
  const advice =
    'Open the port in every firewall on the way, and see that it shows the secret server-certificate.';
  const port = (what: string, address: string, check: () => Promise<void>) =>
    examine(about, advice, async () => {
      await check().catch((error: Error) => {
        throw new Error(`${what} at ${address}: ${error.message}`);
      });
      return [ok(about, `${what} answers over TLS at ${address}, as seen from here`)];
    });
  const found = await Promise.all([
    port('Postgres', `${host}:${postgresPort}`, async () => {
      const socket = await openTcp(name, postgresPort);
      await askPostgresForTls(socket);
      await handshake({ socket, ...pinned(certificate) });
    }),
    port('MQTT', `${host}:${mqttPort}`, () =>
      handshake({ host: name, port: mqttPort, ...pinned(certificate) }),
    ),
    // Any authority's certificate will do here, as for browsers; ours too.
    port('S3', s3Endpoint, () =>
      handshake({
        host: s3.hostname.replace(/^\[|\]$/g, ''),
        port: Number(s3.port) || 443,
        ca: [...getCACertificates('default'), certificate],
      }),
    ),
  ]);
  return found.flat();
}

function openTcp(host: string, port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connectTcp({ host, port, timeout: patienceMs });
    socket.once('connect', () => resolve(socket));
    socket.once('timeout', () => socket.destroy(new Error('no answer')));
    socket.once('error', reject);
  });
}

/** The SSLRequest of Postgres' protocol: it answers `S` where it goes on with TLS. */
function askPostgresForTls(socket: Socket): Promise<void> {
  const request = Buffer.alloc(8);
  request.writeInt32BE(8, 0);
  request.writeInt32BE(80_877_103, 4);
  return new Promise((resolve, reject) => {
    socket.once('error', reject);
    socket.once('close', () => reject(new Error('it hung up')));
    socket.once('data', (answer) => {
      if (answer.toString() === 'S') resolve();
      else reject(new Error('it does not offer TLS'));
    });
    socket.write(request);
  });
}

function handshake(options: ConnectionOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connectTls({ timeout: patienceMs, ...options }, () => {
      socket.destroy();
      resolve();
    });
    socket.once('timeout', () => socket.destroy(new Error('no answer')));
    socket.once('error', reject);
    socket.once('close', () => reject(new Error('it hung up')));
  });
}
