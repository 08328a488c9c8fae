/**
 * Pictures of somebody's whole library that are like one of them.
 *
 * Postgres alone cannot compare vectors fast, and an extension for it is not everywhere. So the
 * database finds candidates by the bits of their sketches (sketch.ts) and of their perceptual hashes,
 * which it counts, and only the vectors of the best are read and compared. Measured on two cores with
 * sevenfold load: 0.2 s among 20,000 pictures with vectors of 1280 numbers (124 MB), 2 s among 200,000.
 */
import type { Core } from '../core.ts';
import type { Sql } from '../database.ts';
import { AimaError } from '../errors.ts';
import { dot, floatsFrom } from './embeddings.ts';
import { featurelessHash, hashDistance, maxCopyBits } from './pictures-alike.ts';
import { sketchOf } from './sketch.ts';

export interface SimilarQuery {
  limit: number;
  /** Leaves out what is less alike and no copy, 0..1. */
  minSimilarity: number;
  /** Leaves out the other pictures of the same job. */
  elsewhere: boolean;
}

export interface SimilarPicture {
  jobId: string;
  mediumName: string;
  mediumKind: 'image' | 'audio' | 'video' | null;
  pictureId: string;
  startMs: number;
  keyframeMs: number;
  /** Cosine, 0..1; null where one of the two has no vector of the other's space. */
  similarity: number | null;
  /** Bits of 64. */
  hashDistance: number;
  thumbnail: string | null;
}

type Found = Omit<SimilarPicture, 'similarity' | 'hashDistance'> & {
  perceptualHash: string;
  embedding: Buffer | null;
};

interface Subject {
  perceptualHash: string;
  embedding: Buffer | null;
  embeddingSpace: string | null;
}

/** So many are compared by their vectors; beyond a page they make good that sketches are not exact. */
const candidates = 200;

/**
 * Copies first, then the others, each the most alike first. Of a job that was cut into pieces they are
 * found when it has ended.
 *
 * @throws AimaError `not_found` where the user has no such job, or the job no such picture.
 */
export async function findSimilar(
  { sql }: Pick<Core, 'sql'>,
  userId: string,
  picture: { jobId: string; pictureId: string },
  query: SimilarQuery,
): Promise<SimilarPicture[]> {
  const subject = await readSubject(sql, userId, picture);
  if (subject.perceptualHash === featurelessHash) return [];
  const vector = subject.embedding && floatsFrom(subject.embedding);
  const found = await sql<Found[]>`
    select p.job_id, m.name as medium_name, m.kind as medium_kind, picture_id, start_ms, keyframe_ms, thumbnail,
      ${hashInHex(sql)}, case when embedding_space = ${subject.embeddingSpace} then embedding end as embedding
    from pictures p join jobs j using (job_id) join media m using (media_id)
    where j.user_id = ${userId} and j.parent_job_id is null and ${isFirstRow(sql)}
      and perceptual_hash <> ${hashBits(sql, featurelessHash)}
      and (job_id, picture_id) <> (${picture.jobId}, ${picture.pictureId})
      ${query.elsewhere ? sql`and job_id <> ${picture.jobId}` : sql``}
    order by bit_count(perceptual_hash # ${hashBits(sql, subject.perceptualHash)}) <= ${maxCopyBits} desc,
      case when embedding_space = ${subject.embeddingSpace} then bit_count(sketch # ${sketchInBits(sql, vector)}) end
    limit ${candidates}`;
  return found
    .map(({ perceptualHash, embedding, ...rest }) => ({
      ...rest,
      similarity: vector && embedding && cosine(vector, floatsFrom(embedding)),
      hashDistance: hashDistance(perceptualHash, subject.perceptualHash),
    }))
    .filter((one) => isCopyOf(one) || (one.similarity ?? 0) >= query.minSimilarity)
    .toSorted(
      (a, b) =>
        Number(isCopyOf(b)) - Number(isCopyOf(a)) ||
        (b.similarity ?? 0) - (a.similarity ?? 0) ||
        a.hashDistance - b.hashDistance,
    )
    .slice(0, query.limit);
}

const isCopyOf = (one: SimilarPicture) => one.hashDistance <= maxCopyBits;

async function readSubject(
  sql: Sql,
  userId: string,
  { jobId, pictureId }: { jobId: string; pictureId: string },
): Promise<Subject> {
  const [own] = await sql`select from jobs where job_id = ${jobId} and user_id = ${userId}`;
  if (!own) throw new AimaError('not_found', `There is no job ${jobId}.`);
  const [subject] = await sql<Subject[]>`
    select ${hashInHex(sql)}, embedding, embedding_space from pictures
    where job_id = ${jobId} and picture_id = ${pictureId} and ${isFirstRow(sql)}`;
  if (!subject) throw new AimaError('not_found', `The job has no picture ${pictureId}.`);
  return subject;
}

/** A picture that lasts has a row in each part; where it begins it is described. */
const isFirstRow = (sql: Sql) => sql`keyframe_ms >= start_ms`;

const hashInHex = (sql: Sql) => sql`lpad(to_hex(perceptual_hash::bigint), 16, '0') as perceptual_hash`;

/** In a subquery, so that it is read once and not for each picture. */
const hashBits = (sql: Sql, hash: string) => sql`(select ('x' || ${hash}::text)::bit(64))`;

function sketchInBits(sql: Sql, vector: Float32Array | null) {
  return sql`(select ('x' || ${vector && sketchOf(vector)}::text)::bit(512))`;
}

/** null where it is none: a rented machine wrote the vectors. */
function cosine(a: Float32Array, b: Float32Array): number | null {
  const value = a.length === b.length ? dot(a, b) : Number.NaN;
  return Number.isFinite(value) ? Math.min(1, Math.max(0, value)) : null;
}
