/** What happened to a job, oldest first. */
import type { Core } from '../core.ts';
import { AimaError } from '../errors.ts';
import { type EventPage, iso } from './shapes.ts';

interface Row {
  eventId: number;
  at: Date;
  type: string;
  instanceId: string | null;
  data: Record<string, unknown>;
}

/**
 * @param page.after id of the last event that is known already; 0 for all.
 * @throws AimaError `not_found` where the job is none of this user's.
 */
export async function readEvents(
  { sql }: Pick<Core, 'sql'>,
  userId: string,
  jobId: string,
  { after, limit }: { after: number; limit: number },
): Promise<EventPage> {
  const [known] = await sql`select from jobs where job_id = ${jobId} and user_id = ${userId}`;
  if (!known) throw new AimaError('not_found', `There is no job ${jobId}.`);
  const rows = await sql<Row[]>`
    select event_id, at, type, instance_id, data from events
    where job_id = ${jobId} and event_id > ${after} order by event_id limit ${limit + 1}`;
  const events = rows.slice(0, limit).map((row) => ({ ...row, at: iso(row.at) }));
  return { events, nextCursor: rows.length > limit ? String(events.at(-1)!.eventId) : null };
}
