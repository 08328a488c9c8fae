/**
 * Pictures for the dossier, read from the object store and carried inside the page as data: URIs.
 *
 * At most sixty and some megabytes, so that a film of a thousand scenes is still a page that a browser
 * prints: people first, then scenes, evenly chosen over the film. What a rented machine stored as a
 * picture is only taken where its first bytes are those of one.
 */
import type { Bucket } from '../../storage/bucket.ts';
import { isPictureName, resultPrefix } from '../../storage/prefix.ts';
import { eachOf } from '../../submit/concurrency.ts';
import type { ResultDocument } from '../schema.ts';
import { english } from './english.ts';
import { peopleOf } from './facts.ts';

const mostPictures = 60;
const mostPeople = 24;
const mostPictureBytes = 256 * 1024;
const mostBytes = 6 * 1024 * 1024;

/** Data URIs by the name of the picture below the job's prefix. */
export type Pictures = ReadonlyMap<string, string>;

/** @throws AimaError `storage_unavailable`. Pictures that are missing or none are left out. */
export async function readPictures(bucket: Bucket, result: ResultDocument): Promise<Pictures> {
  const found = new Map<string, Buffer>();
  await eachOf(chosen(result), async (name) => {
    const bytes = await readPicture(bucket, resultPrefix(result.jobId) + name);
    if (bytes) found.set(name, bytes);
  });
  const pictures = new Map<string, string>();
  let total = 0;
  // In the order of choice, so that the same job always gives the same page.
  for (const name of chosen(result)) {
    const bytes = found.get(name);
    const type = bytes && typeOf(bytes);
    if (!type || total + bytes.length > mostBytes) continue;
    total += bytes.length;
    pictures.set(name, `data:${type};base64,${bytes.toString('base64')}`);
  }
  return pictures;
}

function chosen(result: ResultDocument): string[] {
  const people = peopleOf(result, english)
    .flatMap((person) => person.thumbnail ?? [])
    .slice(0, mostPeople);
  const scenes = (result.scenes ?? []).flatMap((scene) => scene.thumbnail ?? []);
  const room = mostPictures - people.length;
  const step = Math.max(1, scenes.length / room);
  const even = Array.from({ length: Math.min(room, scenes.length) }, (_, i) => scenes[Math.floor(i * step)]!);
  return [...new Set([...people, ...even])].filter(isPictureName);
}

/** null where there is none, or a larger one than analyzers make. */
async function readPicture(bucket: Bucket, key: string): Promise<Buffer | null> {
  try {
    const bytes = await bucket.read(key, 0, mostPictureBytes + 1);
    return bytes.length <= mostPictureBytes ? bytes : null;
  } catch (error) {
    if (['NoSuchKey', 'NotFound', 'InvalidRange'].includes((error as { code?: string }).code ?? ''))
      return null;
    throw error;
  }
}

/** Of what browsers show and analyzers make; null for anything else. */
function typeOf(bytes: Buffer): string | null {
  if (bytes.toString('latin1', 0, 4) === 'RIFF' && bytes.toString('latin1', 8, 12) === 'WEBP')
    return 'image/webp';
  if (bytes.toString('latin1', 0, 8) === '\x89PNG\r\n\x1a\n') return 'image/png';
  return bytes.toString('latin1', 0, 3) === '\xff\xd8\xff' ? 'image/jpeg' : null;
}
