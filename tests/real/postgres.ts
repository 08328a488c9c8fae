/** Debian's Postgres on a folder of a test, open to rented machines as on a server: TLS, and their logins only. */

import { realpathSync } from 'node:fs';
import { appendFile, chmod, chown, mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Certificate } from '../../infra/certificate/certificate.ts';
import { accountFor } from '../../infra/embedded/postgres/account.ts';
import { ensureCluster, POSTGRES_ENV } from '../../infra/embedded/postgres/cluster.ts';
import { openToOutside } from '../../infra/embedded/postgres/outside.ts';
import type { Command } from './kept.ts';
import { pathOf } from './parts.ts';

/** @param functionsFrom network, as a prefix, of functions that run in containers. */
export async function placePostgres(
  dir: string,
  port: number,
  superuserPassword: string,
  certificate: Certificate,
  functionsFrom?: string,
): Promise<Command> {
  await mkdir(dir);
  const account = await accountFor(dir);
  await chmod(dir, 0o755);
  if (account) await chown(dir, account.uid, account.gid);
  // A link on the PATH leads to the folder in which initdb is too.
  const program = realpathSync(pathOf('postgres'));
  const cluster = await ensureCluster(dir, dirname(program), account, superuserPassword);
  const outside = await openToOutside(dir, account, certificate);
  if (functionsFrom)
    await appendFile(join(dir, 'access.conf'), `host aima aima_functions ${functionsFrom} scram-sha-256\n`);
  return {
    name: 'postgres',
    command: program,
    args: ['-D', cluster, '-p', String(port), '-c', 'unix_socket_directories=', ...outside],
    env: POSTGRES_ENV,
    account,
    // Not to wait for its clients.
    stopSignal: 'SIGINT',
  };
}
