/** Keeps pictures below the job's result prefix, by the POST policy that came with the job. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Access } from './server.ts';

const tries = 4;

/**
 * @param access asked before every try: a policy that expired in between is replaced by a fresh one.
 * @returns the name, below the result prefix.
 */
export async function savePicture(
  access: () => Promise<Access>,
  prefix: string,
  picture: { name: string; bytes: Uint8Array; contentType: string },
  signal: AbortSignal,
): Promise<string> {
  for (let attempt = 1; ; attempt++) {
    const { postUrl, postFields } = await access();
    const form = new FormData();
    for (const [name, value] of Object.entries(postFields)) form.set(name, value);
    form.set('key', prefix + picture.name);
    form.set('Content-Type', picture.contentType);
    // S3 reads the fields before the file, so it comes last.
    form.set('file', new Blob([Uint8Array.from(picture.bytes)], { type: picture.contentType }), picture.name);
    let trouble: unknown;
    try {
      const response = await fetch(postUrl, { method: 'POST', body: form, signal });
      if (response.ok) return picture.name;
      trouble = new Error(
        `The object store answered ${response.status}: ${(await response.text()).slice(0, 300)}`,
      );
    } catch (error) {
      signal.throwIfAborted();
      trouble = error;
    }
    if (attempt === tries)
      throw new Error(`The picture ${picture.name} could not be saved.`, { cause: trouble });
    await sleep(200 * 4 ** attempt, undefined, { signal });
  }
}
