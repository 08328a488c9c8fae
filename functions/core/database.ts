/** The connection to Postgres that every part of the core is handed. */
import postgres from 'postgres';
import type { Config } from './config.ts';
import { pinned } from './pinned-certificate.ts';

const options = {
  // snake_case in SQL, camelCase here; what is inside JSON stays as it is.
  transform: { column: { from: postgres.toCamel, to: postgres.fromCamel } },
  // bigint columns are ids, fences and micro-dollars, all far below 2^53.
  types: { bigint: { to: 20, from: [20], parse: Number, serialize: String } },
  connect_timeout: 5,
  idle_timeout: 300,
  max_lifetime: 3600,
  onnotice: () => {},
  connection: { application_name: 'aima', statement_timeout: 30_000 },
};

export type Sql = postgres.Sql<{ bigint: number }>;
export type Tx = postgres.TransactionSql<{ bigint: number }>;

/** A pool for the functions of one process. Connects at the first query, not before. */
export function openDatabase(config: Config): Sql {
  const url = new URL(config.AIMA_DATABASE_URL);
  url.password ||= encodeURIComponent(config.secret('database-password'));
  return postgres(url.href, { ...options, max: config.AIMA_DATABASE_CONNECTIONS });
}

/**
 * A pool with an address that has its password in it: workers and tests.
 * @param settings.certificate PEM: over TLS, and only where the server shows this one.
 */
export function connect(url: string, settings: { max?: number; certificate?: string | undefined } = {}): Sql {
  const { certificate, ...rest } = settings;
  return postgres(url, { ...options, ...rest, ...(certificate ? { ssl: pinned(certificate) } : {}) });
}
