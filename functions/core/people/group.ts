/**
 * Finds the people of a settled job in its owner's library, or founds them there. Part of settling, in
 * its transaction. Done again it changes nothing: who is a member already, and still looks the same,
 * stays where he is, also where a person has put him there by hand.
 *
 * All members of a library are read, 4 kB each: some megabytes for thousands of people.
 */
import type { Tx } from '../database.ts';
import { newId } from '../ids.ts';
import { dot, encodeEmbedding } from '../results/embeddings.ts';
import { ResultRow } from '../results/rows.ts';
import { fromBytes, type MediumPerson, mediumPersons } from './faces.ts';
import { type KnownPerson, match } from './match.ts';

interface MemberRow {
  jobId: string;
  personId: string;
  libraryPersonId: string;
  embedding: Buffer;
  embeddingSpace: string;
}

/** The same person of the same job, found again: its mean hardly moves. */
const unchanged = 0.98;

/** @param jobId of a job that is final, and locked. */
export async function groupPeople(tx: Tx, userId: string, jobId: string): Promise<void> {
  // One job of a library after the other. Not `for update`: whoever inserts a job of this user would wait.
  const [user] = await tx<{ peopleOff: boolean }[]>`
    select people_off from users where user_id = ${userId} for no key update`;
  if (!user || user.peopleOff) return;
  const persons = mediumPersons(await readFaces(tx, jobId));
  const members = await tx<MemberRow[]>`
    select m.job_id, m.person_id, m.library_person_id, m.embedding, m.embedding_space
    from library_people_members m join library_people p using (library_person_id) where p.user_id = ${userId}`;
  const own = members.filter((member) => member.jobId === jobId);
  const kept = own.filter((member) => persons.some((person) => isStill(person, member)));
  const gone = own.filter((member) => !kept.includes(member)).map((member) => member.personId);
  const isKept = (personId: string) => kept.some((member) => member.personId === personId);
  const fresh = persons.filter((person) => !isKept(person.personId));
  const taken = new Set(kept.map((member) => member.libraryPersonId));
  const others = members.filter((member) => member.jobId !== jobId && !taken.has(member.libraryPersonId));
  for (const [personId, libraryPersonId] of match(fresh, knownOf(others))) {
    const person = fresh.find((one) => one.personId === personId)!;
    await addMember(tx, jobId, person, libraryPersonId ?? (await found(tx, userId)));
  }
  // After the new ones: who was only here and is found again under another name is not emptied in between.
  const replaced = gone.filter((personId) => !fresh.some((person) => person.personId === personId));
  if (replaced.length > 0)
    await tx`delete from library_people_members where job_id = ${jobId} and person_id = any (${replaced})`;
  await dropEmpty(tx, userId);
}

async function readFaces(tx: Tx, jobId: string): Promise<ResultRow[]> {
  const parts = await tx<{ rows: unknown[] }[]>`
    select rows from result_parts(${jobId}, '{face,person}') where analyzer = 'faces'`;
  return parts.flatMap((part) => part.rows).flatMap((row) => ResultRow.safeParse(row).data ?? []);
}

function isStill(person: MediumPerson, member: MemberRow): boolean {
  const before = fromBytes(member.embedding);
  return (
    person.personId === member.personId &&
    person.embeddingSpace === member.embeddingSpace &&
    person.embedding.length === before.length &&
    dot(person.embedding, before) >= unchanged
  );
}

/** By space, since a library person may have been seen by models that say nothing about each other. */
function knownOf(members: readonly MemberRow[]): KnownPerson[] {
  const groups = Map.groupBy(members, (one) => `${one.libraryPersonId} ${one.embeddingSpace}`);
  return [...groups.values()].map((same) => ({
    libraryPersonId: same[0]!.libraryPersonId,
    embeddingSpace: same[0]!.embeddingSpace,
    embeddings: same.map((member) => fromBytes(member.embedding)),
  }));
}

async function found(tx: Tx, userId: string): Promise<string> {
  const libraryPersonId = newId();
  await tx`insert into library_people (library_person_id, user_id) values (${libraryPersonId}, ${userId})`;
  return libraryPersonId;
}

async function addMember(
  tx: Tx,
  jobId: string,
  person: MediumPerson,
  libraryPersonId: string,
): Promise<void> {
  const embedding = Buffer.from(encodeEmbedding(person.embedding), 'base64');
  await tx`
    insert into library_people_members (job_id, person_id, library_person_id, embedding, embedding_space, thumbnail, quality)
    values (${jobId}, ${person.personId}, ${libraryPersonId}, ${embedding}, ${person.embeddingSpace},
      ${person.thumbnail}, ${person.quality})
    on conflict (job_id, person_id) do update set library_person_id = excluded.library_person_id,
      embedding = excluded.embedding, embedding_space = excluded.embedding_space, thumbnail = excluded.thumbnail,
      quality = excluded.quality`;
}

/** Whom the last member has left for somebody else. */
export async function dropEmpty(tx: Tx, userId: string): Promise<void> {
  await tx`
    delete from library_people p where user_id = ${userId}
      and not exists (select from library_people_members m where m.library_person_id = p.library_person_id)`;
}
