import { mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';

/*
 * Events that their function refused or kept failing on: one JSON file each in a folder, newest names last.
 * They are acknowledged to the broker once the file is on disk, and wait here for a person to look at them and
 * to invoke the function again.
 */

const parkedEventSchema = z.object({
  version: z.literal(1),
  eventId: z.string(),
  functionName: z.string(),
  topic: z.string(),
  bodyBase64: z.base64(),
  /** how many events this one stands for (see the annotation `coalesce`) */
  deliveries: z.int().positive(),
  tries: z.int().positive(),
  reason: z.string(),
  parkedAt: z.iso.datetime(),
});
export type ParkedEvent = z.output<typeof parkedEventSchema>;

/** At 256 KiB, the broker's packet limit, at most 250 MiB of disk; ours are far below 1 KiB. */
const MAX_PARKED = 1000;

/** Puts an event on disk, dropping the oldest ones beyond the limit. */
export async function park(dir: string, event: ParkedEvent): Promise<void> {
  await mkdir(dir, { recursive: true, mode: 0o700 });
  const name = `${event.parkedAt.replaceAll(':', '-')}-${event.eventId}.json`;
  const temporaryPath = join(dir, `${name}.new`);
  const file = await open(temporaryPath, 'w', 0o600);
  try {
    await file.writeFile(`${JSON.stringify(event, null, 2)}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(temporaryPath, join(dir, name));
  const names = await namesIn(dir);
  for (const oldest of names.slice(0, Math.max(0, names.length - MAX_PARKED))) await rm(join(dir, oldest));
}

/** All parked events, oldest first. Files that are no such events are left out. */
export async function listParked(dir: string): Promise<{ path: string; event: ParkedEvent }[]> {
  const parked = [];
  for (const name of await namesIn(dir)) {
    const path = join(dir, name);
    const event = parkedEventSchema.safeParse(await readJson(path));
    if (event.success) parked.push({ path, event: event.data });
  }
  return parked;
}

/**
 * Invokes the function of each parked event once more and removes those that it now accepts.
 *
 * @returns how many were accepted, and what is still refused
 */
export async function redriveParked(
  dir: string,
  invoke: (event: ParkedEvent) => Promise<{ accepted: boolean; reason: string }>,
): Promise<{ accepted: number; refused: { event: ParkedEvent; reason: string }[] }> {
  let accepted = 0;
  const refused = [];
  for (const { path, event } of await listParked(dir)) {
    const answer = await invoke(event);
    if (answer.accepted) {
      await rm(path, { force: true });
      accepted += 1;
    } else {
      refused.push({ event, reason: answer.reason });
    }
  }
  return { accepted, refused };
}

async function namesIn(dir: string): Promise<string[]> {
  try {
    return (await readdir(dir)).filter((name) => name.endsWith('.json')).sort();
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
    throw error;
  }
}

async function readJson(path: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(path, 'utf8'));
  } catch {
    return undefined;
  }
}
