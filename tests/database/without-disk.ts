import { connect } from '../../functions/core/database.ts';

/**
 * No commit waits for the disk any more: for a server that is only ever stopped in order, and whose data
 * nobody needs after a crash. Most of the time of a test went into that wait (32 s of faults became 18).
 */
export async function withoutDisk(superuserUrl: string): Promise<void> {
  const sql = connect(superuserUrl, { max: 1 });
  await sql`alter system set fsync = off`;
  await sql`select pg_reload_conf()`;
  await sql.end();
}
