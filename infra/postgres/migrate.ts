/**
 * Brings a database to the newest schema: roles, database, then the SQL files of `migrations/`,
 * each once, in order, forward only. Runs at every start; safe for several at once, and when
 * killed anywhere, since each file is one transaction.
 *
 * Roles: `aima_owner` owns the schema and nobody logs in as it; `aima_functions` is the login of
 * the server's functions; `aima_worker` is what the login of each rented machine belongs to.
 */
import { readdir, readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import postgres from 'postgres';
import { instanceTransitions } from '../../functions/core/instances/states.ts';
import { jobTransitions } from '../../functions/core/jobs/states.ts';

const folder = fileURLToPath(new URL('migrations/', import.meta.url));

/**
 * @param options.superuserUrl address of the server with a superuser login; its database is only a door.
 * @param options.functionsPassword what `aima_functions` shall log in with.
 * @param options.database name of the database to make or migrate.
 * @returns names of the files that were applied now.
 */
export async function migrate(options: {
  superuserUrl: string;
  functionsPassword: string;
  database?: string;
}): Promise<string[]> {
  const database = options.database ?? 'aima';
  const server = postgres(options.superuserUrl, { max: 1, onnotice: () => {} });
  try {
    await again(() => makeRoles(server, options.functionsPassword));
    const [known] = await server`select from pg_database where datname = ${database}`;
    if (!known) {
      await server`create database ${server(database)} owner aima_owner`.catch(ignore('42P04', '23505'));
      await server`revoke all on database ${server(database)} from public`;
      await server`grant connect on database ${server(database)} to aima_functions, aima_worker`;
    }
  } finally {
    await server.end();
  }

  const url = new URL(options.superuserUrl);
  url.pathname = `/${database}`;
  const sql = postgres(url.href, { max: 1, onnotice: () => {} });
  try {
    await sql`create schema if not exists migrations`.catch(ignore('23505'));
    await sql`create table if not exists migrations.applied (
      name text primary key, applied_at timestamptz not null default now())`.catch(ignore('23505'));
    await forbidLargeObjects(sql);
    const applied = await applyFiles(sql);
    await declareTransitions(sql);
    return applied;
  } finally {
    await sql.end();
  }
}

async function makeRoles(sql: postgres.Sql, functionsPassword: string): Promise<void> {
  for (const role of ['aima_owner', 'aima_worker', 'aima_functions']) {
    await sql`create role ${sql(role)}`.catch(ignore('42710', '23505'));
  }
  await sql`alter role aima_owner nologin createrole`;
  await sql`grant aima_worker to aima_owner with admin option`;
  await sql`grant pg_signal_backend to aima_owner`;
  // Since when a session has its transaction open: shut_out_lingering_workers.
  await sql`grant pg_read_all_stats to aima_owner`;
  // ALTER ROLE takes no parameters; a password of ours has no quote in it.
  if (!/^[\w-]+$/.test(functionsPassword))
    throw new Error('The database password may only have letters, digits, - and _.');
  await sql.unsafe(`alter role aima_functions login password '${functionsPassword}'`);
}

/** Which anybody who can log in may make, of any size: a worker would fill our disk with them. They are the superuser's to forbid. */
async function forbidLargeObjects(sql: postgres.Sql): Promise<void> {
  await sql`revoke execute on function lo_create(oid), lo_creat(integer), lo_from_bytea(oid, bytea) from public`.catch(
    ignore('XX000'),
  );
}

async function applyFiles(sql: postgres.Sql): Promise<string[]> {
  const applied: string[] = [];
  for (const name of (await readdir(folder)).filter((file) => file.endsWith('.sql')).sort()) {
    const text = await readFile(folder + name, 'utf8');
    await sql.begin(async (tx) => {
      await tx`lock table migrations.applied in exclusive mode`;
      const [done] = await tx`select from migrations.applied where name = ${name}`;
      if (done) return;
      await tx`grant create on schema public to aima_owner`;
      await tx`set local role aima_owner`;
      await tx.unsafe(text).simple();
      await tx`reset role`;
      await tx`insert into migrations.applied (name) values (${name})`;
      applied.push(name);
    });
  }
  return applied;
}

/** Writes the state machines as they are declared in TypeScript to where the triggers look. */
async function declareTransitions(sql: postgres.Sql): Promise<void> {
  const rows = Object.entries<Record<string, readonly string[]>>({
    job: jobTransitions,
    instance: instanceTransitions,
  }).flatMap(([machine, table]) =>
    Object.entries(table).flatMap(([from_state, targets]) =>
      targets.map((to_state) => ({ machine, from_state, to_state })),
    ),
  );
  await sql.begin(async (tx) => {
    await tx`lock table state_transitions in exclusive mode`;
    await tx`delete from state_transitions`;
    await tx`insert into state_transitions ${tx(rows)}`;
  });
}

/**
 * Roles belong to the whole server: two migrations that alter one in the same moment, and one of them
 * fails with XX000, "tuple concurrently updated", which the next try does not meet.
 */
async function again(step: () => Promise<void>, tries = 10): Promise<void> {
  try {
    await step();
  } catch (error) {
    if (!(error instanceof postgres.PostgresError) || error.code !== 'XX000' || tries === 1) throw error;
    await again(step, tries - 1);
  }
}

/** For steps that another process may have taken in the same moment. */
function ignore(...codes: string[]) {
  return (error: unknown) => {
    if (error instanceof postgres.PostgresError && codes.includes(error.code)) return [];
    throw error;
  };
}
