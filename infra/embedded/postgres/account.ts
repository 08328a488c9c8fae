/**
 * Whose rights Postgres runs with. It refuses to run as root, so root drops to the owner of an
 * existing cluster or to `nobody`; everybody else runs it as themselves.
 */

import { stat } from 'node:fs/promises';
import { dirname } from 'node:path';

/** Numeric user and group that a child is started with; undefined = the ones we have. */
export type Account = { uid: number; gid: number } | undefined;

/** `nobody` and `nogroup` (or `nobody`) on Linux; initdb needs the user to be listed in /etc/passwd. */
const NOBODY = { uid: 65534, gid: 65534 };

/**
 * The account for the cluster in `dir` (which need not exist yet).
 * @throws where root is asked to run it on macOS, which has no such account to drop to.
 */
export async function accountFor(dir: string): Promise<Account> {
  if (process.getuid?.() !== 0) return undefined;
  if (process.platform !== 'linux')
    throw new Error('Postgres refuses to run as root: start as a normal user');
  const owner = await stat(dir).catch(() => undefined);
  return owner && owner.uid !== 0 ? { uid: owner.uid, gid: owner.gid } : NOBODY;
}

/** Whether `account` can get into folder `dir`: every folder on the way, and itself, must let it through. */
export async function mayEnter(account: Account, dir: string): Promise<boolean> {
  if (account === undefined) return true;
  for (let at = dir; ; at = dirname(at)) {
    const { uid, gid, mode } = await stat(at);
    const executeBit = uid === account.uid ? 0o100 : gid === account.gid ? 0o010 : 0o001;
    if ((mode & executeBit) === 0) return false;
    if (at === dirname(at)) return true;
  }
}
