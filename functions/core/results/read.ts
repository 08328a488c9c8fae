/** The result of a job for its owner: the kept document of a settled one, of any other what there is by now. */
import type { Core } from '../core.ts';
import { AimaError } from '../errors.ts';
import { buildDocument } from './document.ts';
import type { ResultDocument } from './schema.ts';

/**
 * The document as JSON text: a kept one goes from the database to the caller without being parsed.
 *
 * @throws AimaError `not_found` where there is no such job of this user's.
 */
export async function readResultText(
  core: Pick<Core, 'sql'>,
  userId: string,
  jobId: string,
): Promise<string> {
  const kept = await readKept<string>(core, userId, jobId, '::text');
  return kept ?? JSON.stringify(await buildDocument(core.sql, jobId));
}

/** @throws AimaError `not_found` where there is no such job of this user's. */
export async function readResult(
  core: Pick<Core, 'sql'>,
  userId: string,
  jobId: string,
): Promise<ResultDocument> {
  const kept = await readKept<ResultDocument>(core, userId, jobId, '');
  return kept ?? buildDocument(core.sql, jobId);
}

/**
 * null where the job is not settled: what is kept of an earlier end is not what there is now. Who its
 * people are in the library is not kept but looked up: names are given and people merged later.
 */
async function readKept<T>(
  { sql }: Pick<Core, 'sql'>,
  userId: string,
  jobId: string,
  as: '' | '::text',
): Promise<T | null> {
  const [row] = await sql<{ document: T | null }[]>`
    select case when settled_at is not null then with_library_people(job_id, document)${sql.unsafe(as)} end as document
    from jobs left join documents using (job_id) where job_id = ${jobId} and user_id = ${userId}`;
  if (!row) throw new AimaError('not_found', `There is no job ${jobId}.`);
  return row.document;
}
