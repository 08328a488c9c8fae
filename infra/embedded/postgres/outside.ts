/**
 * Postgres for rented machines: on every address of this machine, but from outside only over TLS and
 * only for the logins of leases. Whatever else there is, the superuser first, logs in from here alone.
 */

import { chown, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Certificate } from '../../certificate/certificate.ts';
import type { Account } from './account.ts';
import { settingArguments } from './cluster.ts';

/** The first line that fits decides, and where none does nobody gets in. */
const ACCESS = `host    all  all           127.0.0.1/32  scram-sha-256
host    all  all           ::1/128       scram-sha-256
hostssl aima +aima_worker  all           scram-sha-256
`;

/**
 * Puts the certificate, its key and the access rules beside the cluster, for `account` to read.
 * @returns the arguments that make the server use them.
 */
export async function openToOutside(
  dir: string,
  account: Account,
  { certificate, key }: Certificate,
): Promise<string[]> {
  const put = async (name: string, text: string): Promise<string> => {
    const path = join(dir, name);
    await writeFile(path, text, { mode: 0o600 });
    if (account) await chown(path, account.uid, account.gid);
    return path;
  };
  return settingArguments({
    listen_addresses: '*',
    ssl: 'on',
    ssl_min_protocol_version: 'TLSv1.3',
    ssl_cert_file: await put('server.crt', certificate),
    ssl_key_file: await put('server.key', key),
    hba_file: await put('access.conf', ACCESS),
    // Each connection that has not logged in yet takes one of all that there are.
    authentication_timeout: '10s',
  });
}
