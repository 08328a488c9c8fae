/**
 * Where models lie: one folder per model in the models folder, named after the model and its
 * digest, so that versions never mix. A folder appears in one step, complete, or not at all;
 * several processes may do this at once.
 */
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, rename, rm, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import path from 'node:path';
import { sha256Of } from './digest.ts';
import { type Model, type ModelFile, modelSha256 } from './manifest.ts';
import { recordedDigests } from './recorded-digests.ts';
import { WHISPER_FILES } from './whisper/model-files.ts';

const TEMPORARY_PREFIX = '.fetching-';
const digestsOfStates = new Map<string, string>();
const LEFTOVER_AFTER_MS = 24 * 3600 * 1000;

/** `AIMA_MODELS_DIR`, or the place for caches of the XDG base directory specification. */
export function modelsDir(env: NodeJS.ProcessEnv): string {
  const cache = env.XDG_CACHE_HOME || path.join(homedir(), '.cache');
  return path.resolve(env.AIMA_MODELS_DIR || path.join(cache, 'aima', 'models'));
}

export function modelFolder(dir: string, model: Model): string {
  return path.join(dir, `${model.id}-${modelSha256(model).slice(0, 12)}`);
}

/** Whether the bytes are those of the manifest. */
export function isIntact(file: ModelFile, bytes: Uint8Array): boolean {
  return bytes.length === file.sizeBytes && createHash('sha256').update(bytes).digest('hex') === file.sha256;
}

/**
 * Reads and checks every file: about 0.1 s for 135 MB. What this process has read before and what was not
 * written since is not read again: a worker asks before every job, and large models have 1.6 GB.
 */
export async function isPresent(dir: string, model: Model): Promise<boolean> {
  const folder = modelFolder(dir, model);
  try {
    for (const { name, sizeBytes, sha256 } of await digestsOf(folder, model)) {
      const file = path.join(folder, name);
      const { size, mtimeMs, ino } = await stat(file);
      if (sizeBytes !== null && size !== sizeBytes) return false;
      const state = `${file} ${size} ${mtimeMs} ${ino}`;
      const found = digestsOfStates.get(state) ?? (await sha256Of(file));
      digestsOfStates.set(state, found);
      if (found !== sha256) return false;
    }
    return true;
  } catch (error) {
    if (!hasCode(error, 'ENOENT', 'ENOTDIR')) throw error;
    return false;
  }
}

/** The manifest's, or those recorded when the files were made; a list that lacks files counts as damaged. */
async function digestsOf(folder: string, model: Model) {
  if (model.files.length > 0) return model.files;
  const recorded = await recordedDigests(folder);
  return WHISPER_FILES.map((name) => ({ name, sizeBytes: null, sha256: recorded.get(name) }));
}

/** A new folder to prepare models in, on the same file system as their places. */
export async function makeTemporaryFolder(dir: string): Promise<string> {
  await mkdir(dir, { recursive: true });
  return mkdtemp(path.join(dir, TEMPORARY_PREFIX));
}

/** Removes what processes that were killed while fetching left behind. */
export async function removeLeftovers(dir: string, now: number): Promise<void> {
  const names = await readdir(dir).catch(() => []);
  for (const name of names.filter((candidate) => candidate.startsWith(TEMPORARY_PREFIX))) {
    const leftover = path.join(dir, name);
    const changedAt = await stat(leftover).then(
      (stats) => stats.mtimeMs,
      () => now,
    );
    if (now - changedAt > LEFTOVER_AFTER_MS) await rm(leftover, { recursive: true, force: true });
  }
}

/**
 * Moves a finished folder to the model's place. Where another process was quicker its folder
 * stays and this one goes; a damaged folder there is replaced.
 */
export async function putInPlace(finished: string, dir: string, model: Model): Promise<void> {
  const place = modelFolder(dir, model);
  for (;;) {
    try {
      return await rename(finished, place);
    } catch (error) {
      if (!hasCode(error, 'ENOTEMPTY', 'EEXIST')) throw error;
    }
    if (await isPresent(dir, model)) return;
    const damaged = `${finished}-damaged`;
    await rename(place, damaged).catch((error) => {
      if (!hasCode(error, 'ENOENT')) throw error;
    });
    await rm(damaged, { recursive: true, force: true });
  }
}

function hasCode(error: unknown, ...codes: string[]): boolean {
  return error instanceof Error && 'code' in error && codes.includes(String(error.code));
}
