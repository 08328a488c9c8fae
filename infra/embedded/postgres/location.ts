/**
 * Where the cluster lies. Normally in the data folder. Root's Postgres, which runs as `nobody`, can
 * not get into a data folder under a private one (/root has mode 0700): then the cluster lies in
 * /var/lib/aima and the data folder has a link to it, so that it moves and is found with the rest.
 */

import { chmod, chown, lstat, mkdir, mkdtemp, readlink, realpath, stat, symlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type Account, accountFor, mayEnter } from './account.ts';

const SYSTEM_STATE_DIR = '/var/lib/aima';

/** A private folder that `account` owns and can get into, with no link on the way. */
export interface Location {
  dir: string;
  account: Account;
}

/**
 * Makes or finds the folder of the cluster that is called `dir` in the data folder.
 * @throws with a sentence where the folder is another user's or a link leads nowhere.
 */
export async function locate(dir: string): Promise<Location> {
  const link = await readlink(dir).catch(() => undefined);
  if (link !== undefined && !(await stat(dir).catch(() => undefined))) {
    throw new Error(
      `${dir} links to ${link}, where the database was, but that is gone: restore it or delete the link`,
    );
  }
  const account = await accountFor(dir);
  if (link === undefined) await makePlace(dir, account);

  const place = await realpath(dir);
  if (account) {
    await chown(place, account.uid, account.gid);
    if (!(await mayEnter(account, place))) {
      throw new Error(
        `Postgres runs as user ${account.uid} and cannot reach ${place}: set AIMA_DATA_DIR to a folder that others may enter`,
      );
    }
  } else if ((await stat(place)).uid !== process.getuid?.()) {
    throw new Error(`${place} belongs to another user: start as that user, or as root as before`);
  }
  await chmod(place, 0o700);
  return { dir: place, account };
}

async function makePlace(dir: string, account: Account): Promise<void> {
  if (await lstat(dir).catch(() => undefined)) return;
  const parent = dirname(dir);
  await mkdir(parent, { recursive: true });
  if (account) {
    // The data folder is ours: others may pass through it (not list it) to what is theirs.
    await chmod(parent, (await stat(parent)).mode | 0o011);
    if (!(await mayEnter(account, await realpath(parent)))) {
      await mkdir(SYSTEM_STATE_DIR, { recursive: true });
      await chmod(SYSTEM_STATE_DIR, 0o755);
      // A new name each time: a data folder that was deleted and made anew must not find the old database.
      const elsewhere = await mkdtemp(join(SYSTEM_STATE_DIR, 'postgres-'));
      await symlink(elsewhere, dir);
      return;
    }
  }
  await mkdir(dir);
}
