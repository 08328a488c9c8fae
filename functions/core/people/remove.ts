/**
 * Deletes somebody from everywhere: from the library, and from every job they were seen in the faces with
 * their vectors, what documents keep of them, and their pictures.
 *
 * Of a job that was cut the pieces still have what was joined. Their vectors are the same bytes, by which
 * they are found; what a piece saw outside of what it owns is of no more use and goes as a whole.
 *
 * The database comes first, and writes down which objects are to follow, as where a job is deleted.
 */
import type { Core } from '../core.ts';
import type { Tx } from '../database.ts';
import { removeObjects } from '../jobs/deletions.ts';
import { buildDocument } from '../results/document.ts';
import { pieceFolder, resultPrefix } from '../storage/prefix.ts';
import { lockLibrary, unknown } from './library.ts';

/** As of a job that is deleted: no address that was signed before lives longer. */
const longestSignature = '7 days';

/** @throws AimaError `not_found` */
export async function removePerson(core: Core, userId: string, id: string): Promise<void> {
  const keys = await core.sql.begin(async (tx) => {
    // Jobs before the library, in the order in which settling locks them.
    const jobIds = (await membersOf(tx, userId, id)).map((member) => member.jobId);
    await tx`select from jobs where job_id = any (${jobIds}) order by job_id for update`;
    await lockLibrary(tx, userId);
    const members = await membersOf(tx, userId, id);
    if (members.length === 0) throw unknown(id);
    const pictures: string[] = [];
    for (const [jobId, own] of Map.groupBy(members, (member) => member.jobId)) {
      const personIds = own.map((member) => member.personId);
      pictures.push(...(await removeFaces(tx, jobId, personIds)).map((name) => resultPrefix(jobId) + name));
    }
    await tx`delete from library_people where library_person_id = ${id}`;
    await forget(tx, pictures);
    return pictures;
  });
  if (keys.length > 0) await removeObjects(core, { keys });
}

function membersOf(tx: Tx, userId: string, id: string) {
  return tx<{ jobId: string; personId: string }[]>`
    select job_id, person_id from library_people_members join library_people p using (library_person_id)
    where library_person_id = ${id} and p.user_id = ${userId} order by job_id`;
}

/** @returns names of their pictures, below the job's prefix. */
async function removeFaces(tx: Tx, jobId: string, personIds: string[]): Promise<string[]> {
  // A track belongs to whom the last row with it names; a person keeps none that went to others.
  const tracks = await tx<{ trackId: string }[]>`
    select track_id from (
      select distinct on (track_id) track_id, person_id
      from people, unnest(track_ids) as track_id where job_id = ${jobId} order by track_id, from_ms desc, ordinal desc
    ) owned where person_id = any (${personIds})`;
  const trackIds = tracks.map((row) => row.trackId);
  const faces = await tx<{ embedding: string; thumbnail: string | null }[]>`
    delete from faces where job_id = ${jobId} and track_id = any (${trackIds}) returning encode(embedding, 'hex') as embedding, thumbnail`;
  await tx`
    update people set track_ids = array(select t from unnest(track_ids) t where t <> all (${trackIds}))
    where job_id = ${jobId} and track_ids && ${trackIds}::text[]`;
  await tx`delete from people where job_id = ${jobId} and (person_id = any (${personIds}) or track_ids = '{}')`;
  const embeddings = faces.map((face) => face.embedding);
  const inPieces = embeddings.length > 0 ? await removeFromPieces(tx, jobId, embeddings) : [];
  const [kept] = await tx`select from documents where job_id = ${jobId}`;
  if (kept) {
    const document = await buildDocument(tx, jobId);
    await tx`update documents set document = ${tx.json(document)} where job_id = ${jobId}`;
  }
  return [...new Set([...faces.flatMap((face) => face.thumbnail ?? []), ...inPieces])];
}

async function removeFromPieces(tx: Tx, jobId: string, embeddings: string[]): Promise<string[]> {
  const gone = await tx<{ jobId: string; piece: number | null; trackId: string; thumbnail: string | null }[]>`
    with piece as (
      select job_id, piece, piece_from_ms, piece_to_ms from jobs where parent_job_id = ${jobId}
    ), theirs as (
      select distinct f.job_id, f.track_id from faces f join piece using (job_id)
      where encode(f.embedding, 'hex') = any (${embeddings}) or f.start_ms >= piece_to_ms or f.end_ms <= piece_from_ms
    )
    delete from faces f using theirs t join piece p using (job_id)
    where f.job_id = t.job_id and f.track_id = t.track_id
    returning f.job_id, p.piece, f.track_id, f.thumbnail`;
  for (const [pieceId, rows] of Map.groupBy(gone, (row) => row.jobId)) {
    const trackIds = rows.map((row) => row.trackId);
    await tx`
      update people set track_ids = array(select t from unnest(track_ids) t where t <> all (${trackIds}))
      where job_id = ${pieceId} and track_ids && ${trackIds}::text[]`;
    await tx`delete from people where job_id = ${pieceId} and track_ids = '{}'`;
  }
  return gone.flatMap(({ piece, thumbnail }) =>
    thumbnail === null || piece === null ? [] : pieceFolder(piece) + thumbnail,
  );
}

async function forget(tx: Tx, keys: string[]): Promise<void> {
  if (keys.length === 0) return;
  await tx`
    insert into deletions (key, is_prefix, signed_until)
    select key, false, now() + ${longestSignature}::interval from unnest(${keys}::text[]) as key
    on conflict (key, is_prefix) do update set next_try_at = now()`;
}
