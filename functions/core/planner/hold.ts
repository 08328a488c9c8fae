/**
 * Holding the queue: while it is held no job is given to an instance and nothing is rented. What
 * runs goes on, and instances without work still end.
 */
import type { Sql, Tx } from '../database.ts';

const name = 'queue-held';

export async function isHeld(sql: Sql | Tx): Promise<boolean> {
  const [row] = await sql<{ value: boolean }[]>`select value from settings where name = ${name}`;
  return row?.value === true;
}

export async function hold(sql: Sql | Tx, held: boolean): Promise<void> {
  await sql`
    insert into settings (name, value) values (${name}, ${sql.json(held)})
    on conflict (name) do update set value = excluded.value`;
}
