/** Whether what waits has somewhere to go. */
import type { Sql } from '../database.ts';
import { isHeld } from '../planner/hold.ts';

export interface Queue {
  queued: number;
  oldestAt: Date | null;
  oldestMs: number;
  /** Machines that are not proven gone. */
  live: number;
  isHeld: boolean;
}

export async function readQueue(sql: Sql): Promise<Queue> {
  const [[row], held] = await Promise.all([
    sql<Omit<Queue, 'isHeld'>[]>`
      select count(*)::int as queued, min(queued_at) as oldest_at,
        coalesce(extract(epoch from now() - min(queued_at))::float8 * 1000, 0) as oldest_ms,
        (select count(*)::int from instances where state <> 'terminated') as live
      from jobs where state = 'queued'`,
    isHeld(sql),
  ]);
  return { ...row!, isHeld: held };
}
