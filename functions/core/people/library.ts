/** The people of somebody's library, as their owner sees and sorts them. Everything is only the owner's. */
import type { Core } from '../core.ts';
import type { Sql, Tx } from '../database.ts';
import { AimaError } from '../errors.ts';
import { newId } from '../ids.ts';
import { iso } from '../jobs/shapes.ts';
import { resultPrefix } from '../storage/prefix.ts';
import { dropEmpty } from './group.ts';
import type { LibraryPerson, LibraryPersonView } from './shapes.ts';

type Database = Pick<Core, 'sql'>;

export interface Cursor {
  media: number;
  libraryPersonId: string;
}

interface Row {
  libraryPersonId: string;
  name: string | null;
  isHidden: boolean;
  createdAt: Date;
  media: number;
  hasCover: boolean;
}

function counted(sql: Sql | Tx, userId: string) {
  return sql`
    select p.library_person_id, p.name, p.is_hidden, p.created_at, count(distinct m.job_id)::int as media,
      coalesce(bool_or(m.thumbnail is not null), false) as has_cover
    from library_people p left join library_people_members m using (library_person_id)
    where p.user_id = ${userId} group by p.library_person_id`;
}

/** Who is in the most media comes first. */
export async function listPeople(
  { sql }: Database,
  userId: string,
  options: { withHidden: boolean; limit: number; after: Cursor | null },
): Promise<{ isOn: boolean; people: LibraryPerson[]; next: Cursor | null }> {
  const { after, limit } = options;
  const rows = await sql<Row[]>`
    select * from (${counted(sql, userId)}) p
    where (${options.withHidden} or not is_hidden) ${
      after === null
        ? sql``
        : sql`and (-media, library_person_id) > (${-after.media}::integer, ${after.libraryPersonId})`
    }
    order by -media, library_person_id limit ${limit + 1}`;
  const [user] = await sql<{ peopleOff: boolean }[]>`select people_off from users where user_id = ${userId}`;
  const people = rows.slice(0, limit).map(describe);
  const last = rows.length > limit ? people.at(-1)! : null;
  return {
    isOn: user?.peopleOff === false,
    people,
    next: last && { media: last.media, libraryPersonId: last.libraryPersonId },
  };
}

/** @throws AimaError `not_found` */
export async function viewPerson({ sql }: Database, userId: string, id: string): Promise<LibraryPersonView> {
  const [row] = await sql<Row[]>`select * from (${counted(sql, userId)}) p where library_person_id = ${id}`;
  if (!row) throw unknown(id);
  const seen = await sql<{ jobId: string; personId: string; name: string }[]>`
    select m.job_id, m.person_id, media.name
    from library_people_members m join jobs using (job_id) join media using (media_id)
    where m.library_person_id = ${id} order by m.job_id desc, m.person_id`;
  return { ...describe(row), seen: [...seen] };
}

/** @throws AimaError `not_found` */
export async function changePerson(
  { sql }: Database,
  userId: string,
  id: string,
  change: { name?: string | null | undefined; isHidden?: boolean | undefined },
): Promise<void> {
  const changed = await sql`
    update library_people set
      name = case when ${change.name !== undefined} then ${change.name ?? null} else name end,
      is_hidden = coalesce(${change.isHidden ?? null}, is_hidden)
    where library_person_id = ${id} and user_id = ${userId} returning library_person_id`;
  if (changed.length === 0) throw unknown(id);
}

/**
 * Two that are one. The first keeps its id; its name, or where it has none the other's.
 *
 * @throws AimaError `not_found`; `conflict` with itself.
 */
export async function mergePeople(
  { sql }: Database,
  userId: string,
  id: string,
  otherId: string,
): Promise<void> {
  if (id === otherId) throw new AimaError('conflict', 'They are one and the same already.');
  await sql.begin(async (tx) => {
    await lockLibrary(tx, userId);
    const known = await tx<{ libraryPersonId: string }[]>`
      select library_person_id from library_people where user_id = ${userId} and library_person_id in (${id}, ${otherId})`;
    const missing = [id, otherId].find((one) => !known.some((row) => row.libraryPersonId === one));
    if (missing) throw unknown(missing);
    await tx`
      update library_people p set name = coalesce(p.name, other.name), is_hidden = p.is_hidden and other.is_hidden
      from library_people other where p.library_person_id = ${id} and other.library_person_id = ${otherId}`;
    await tx`update library_people_members set library_person_id = ${id} where library_person_id = ${otherId}`;
    await tx`delete from library_people where library_person_id = ${otherId}`;
  });
}

/**
 * One who is somebody else: a person of a medium becomes a person of the library by itself.
 *
 * @returns its id.
 * @throws AimaError `not_found`; `conflict` where there is nobody to be split off from.
 */
export async function splitPerson(
  { sql }: Database,
  userId: string,
  id: string,
  member: { jobId: string; personId: string },
): Promise<string> {
  return sql.begin(async (tx) => {
    await lockLibrary(tx, userId);
    const [found] = await tx<{ members: number }[]>`
      select (select count(*)::int from library_people_members a where a.library_person_id = ${id}) as members
      from library_people_members m join library_people p using (library_person_id)
      where library_person_id = ${id} and p.user_id = ${userId}
        and m.job_id = ${member.jobId} and m.person_id = ${member.personId}`;
    if (!found) throw new AimaError('not_found', 'There is no such person of a medium in it.');
    if (found.members === 1) throw new AimaError('conflict', 'Nobody else belongs to this person.');
    const libraryPersonId = newId();
    await tx`insert into library_people (library_person_id, user_id) values (${libraryPersonId}, ${userId})`;
    await tx`
      update library_people_members set library_person_id = ${libraryPersonId}
      where job_id = ${member.jobId} and person_id = ${member.personId}`;
    await dropEmpty(tx, userId);
    return libraryPersonId;
  });
}

/** The key of the best picture of them. @throws AimaError `not_found` */
export async function coverKey({ sql }: Database, userId: string, id: string): Promise<string> {
  const [cover] = await sql<{ jobId: string; thumbnail: string }[]>`
    select m.job_id, m.thumbnail from library_people_members m join library_people p using (library_person_id)
    where library_person_id = ${id} and p.user_id = ${userId} and m.thumbnail is not null
    order by m.quality desc, m.job_id desc limit 1`;
  if (!cover) throw new AimaError('not_found', 'There is no picture of this person.');
  return resultPrefix(cover.jobId) + cover.thumbnail;
}

/** Off: nobody is grouped over media any more, and everything that was known of them is gone. */
export async function switchPeople({ sql }: Database, userId: string, isOn: boolean): Promise<void> {
  await sql.begin(async (tx) => {
    await lockLibrary(tx, userId);
    await tx`update users set people_off = ${!isOn} where user_id = ${userId}`;
    if (!isOn) await tx`delete from library_people where user_id = ${userId}`;
  });
}

/** Before any change of who belongs to whom: settling takes the same lock. */
export async function lockLibrary(tx: Tx, userId: string): Promise<void> {
  await tx`select from users where user_id = ${userId} for no key update`;
}

export function unknown(id: string): AimaError {
  return new AimaError('not_found', `There is no person ${id}.`);
}

function describe({ libraryPersonId, name, isHidden, createdAt, media, hasCover }: Row): LibraryPerson {
  const self = `/function/jobs/people/${libraryPersonId}`;
  return {
    ...{ libraryPersonId, name, isHidden, media, createdAt: iso(createdAt) },
    links: { self, cover: hasCover ? `${self}/cover` : null },
  };
}
