/**
 * What one lease may log in with. Both passwords are derived from a secret of this installation
 * and the instance id, so that an adopted machine or a restarted broker needs nothing that only a
 * crashed process knew; they are worthless without the login, which lives as long as the lease.
 */
import { createHash, createHmac, pbkdf2Sync, randomBytes } from 'node:crypto';
import type { Core } from '../core.ts';
import { closeWorkerLogin, listWorkerLogins, openWorkerLogin } from '../events/logins.ts';
import { log } from '../log.ts';
import type { Offer } from '../providers/provider.ts';
import { requirePublicAddress } from '../public-address.ts';

/** A process that has just begun needs a moment to connect; a broker that is away must not keep a launch waiting. */
const brokerPatienceMs = 1500;

/** Time beyond its deadline in which a worker may still say goodbye. */
const graceMs = 10 * 60_000;

function workerLogin(instanceId: string): string {
  return `aima_worker_${instanceId}`;
}

function leasePassword(leaseKey: string, service: 'postgres' | 'mqtt', instanceId: string): string {
  return createHmac('sha256', leaseKey).update(`${service}:${instanceId}`).digest('base64url');
}

/**
 * The verifier that Postgres keeps of a password (RFC 5803, PostgreSQL's form): made here, so that
 * the password itself reaches no statement and no log.
 */
export function scramVerifier(password: string, salt: Buffer = randomBytes(16)): string {
  const iterations = 4096;
  const salted = pbkdf2Sync(password, salt, iterations, 32, 'sha256');
  const clientKey = createHmac('sha256', salted).update('Client Key').digest();
  const storedKey = createHash('sha256').update(clientKey).digest('base64');
  const serverKey = createHmac('sha256', salted).update('Server Key').digest('base64');
  return `SCRAM-SHA-256$${iterations}:${salt.toString('base64')}$${storedKey}:${serverKey}`;
}

/** Opens the lease's logins; a second time changes nothing. */
export async function openLogins(core: Core, instanceId: string, deadlineAt: Date): Promise<void> {
  const key = core.config.secret('lease-key');
  const verifier = scramVerifier(leasePassword(key, 'postgres', instanceId));
  const validUntil = new Date(deadlineAt.getTime() + graceMs);
  await core.sql`select open_worker_login(${instanceId}, ${verifier}, ${validUntil})`;
  // Without the broker a worker does all its work and only rings no bell.
  if (await core.publisher.isConnected(brokerPatienceMs)) await openMqttLogin(core, instanceId);
}

async function openMqttLogin(core: Core, instanceId: string): Promise<void> {
  const password = leasePassword(core.config.secret('lease-key'), 'mqtt', instanceId);
  await openWorkerLogin(core.publisher.client, { instanceId, password }).catch((error: unknown) =>
    log.warn('a lease has no MQTT login', { instanceId, error }),
  );
}

/** Ends the lease's logins and every session that is open with them. */
export async function closeLogins(core: Core, instanceId: string): Promise<void> {
  await core.sql`select close_worker_login(${instanceId})`;
  if (!core.publisher.client.connected) return;
  await closeWorkerLogin(core.publisher.client, instanceId).catch((error: unknown) =>
    log.warn('the MQTT login of a lease stays', { instanceId, error }),
  );
}

/** Statements, an honest worker's too, are given up after 30 s (database.ts). */
const lingeringSeconds = 40;

/** Cuts off workers that keep a transaction open, and with it whoever would end them; their leases end for their silence. */
export async function shutOutLingering({ sql }: Core, seconds = lingeringSeconds): Promise<void> {
  const shutOut = await sql<{ login: string }[]>`
    select login from shut_out_lingering_workers(${seconds}) as shut (login)`;
  for (const { login } of shutOut)
    log.warn('a worker kept a transaction open and is shut out', { instanceId: login.split('_').at(-1) });
}

/**
 * Closes what stayed open when a lease ended, and opens at the broker what could not be opened when
 * it began, because the broker or we were away in that moment.
 */
export async function mendLogins(core: Core): Promise<void> {
  const connected = core.publisher.client.connected;
  const atBroker = connected ? await listWorkerLogins(core.publisher.client) : [];
  const rows = await core.sql<{ instanceId: string; isOver: boolean }[]>`
    select instance_id, state = 'terminated' as is_over from instances
    where state in ('booting', 'ready')
      or state = 'terminated' and (instance_id = any (${atBroker})
        or exists (select from pg_roles where rolname = 'aima_worker_' || instance_id))`;
  for (const { instanceId, isOver } of rows) {
    // One that cannot be closed keeps no other open.
    if (isOver)
      await closeLogins(core, instanceId).catch((error: unknown) =>
        log.error('the logins of a lease are still to be closed', { instanceId, error }),
      );
    else if (connected && !atBroker.includes(instanceId)) await openMqttLogin(core, instanceId);
  }
}

/**
 * The worker's environment: addresses, this lease's own credentials and its limits, nothing else.
 * Rented machines get the public addresses and the certificate that they shall find there.
 * @throws Error with a sentence where a rented machine could not reach this server.
 */
export function workerEnvironment(
  core: Core,
  lease: { instanceId: string; offer: Pick<Offer, 'gpu'>; deadlineAt: Date },
  provider: { isRemote: boolean },
): Record<string, string> {
  const { config } = core;
  const { instanceId, deadlineAt } = lease;
  const key = config.secret('lease-key');
  const address = provider.isRemote ? requirePublicAddress(config) : null;
  const database = new URL(config.AIMA_DATABASE_URL);
  database.username = workerLogin(instanceId);
  database.password = leasePassword(key, 'postgres', instanceId);
  const broker = new URL(config.AIMA_MQTT_URL);
  broker.username = `worker-${instanceId}`;
  broker.password = leasePassword(key, 'mqtt', instanceId);
  if (address) {
    database.host = `${address.host}:${address.postgresPort}`;
    broker.protocol = 'mqtts:';
    broker.host = `${address.host}:${address.mqttPort}`;
  }
  return {
    AIMA_INSTANCE_ID: instanceId,
    AIMA_DATABASE_URL: database.href,
    AIMA_MQTT_URL: broker.href,
    AIMA_LOST_CONTACT_SECONDS: String(config.AIMA_LOST_CONTACT_SECONDS),
    // As a duration: the clock of a rented machine may be wrong by any amount.
    AIMA_MAX_LIFETIME_SECONDS: String(Math.max(1, Math.ceil((deadlineAt.getTime() - Date.now()) / 1000))),
    AIMA_DEVICE: lease.offer.gpu ? 'cuda' : 'cpu',
    ...(address ? { AIMA_SERVER_CERTIFICATE: Buffer.from(address.certificate).toString('base64') } : {}),
  };
}
