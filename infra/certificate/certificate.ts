/**
 * The certificate that this server shows to rented machines, and its key, among the secrets: made once,
 * by nobody but itself. Workers are handed it with their lease and believe no other, so nobody needs to
 * vouch for it, and it need not expire soon: ten years. A worker that runs when it is replaced loses
 * contact and ends.
 */

import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFile, rename, writeFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import { join } from 'node:path';
import { generate } from 'selfsigned';

export interface Certificate {
  /** PEM both. */
  certificate: string;
  key: string;
}

const dayMs = 86_400_000;
const validDays = 3650;
/** Longer than any lease. */
const renewedDaysBefore = 30;
/** The clock of a rented machine may be wrong, and a certificate of the future is refused. */
const validDaysBefore = 365;

/** By which we know that it is ours to replace. */
const organization = 'AIMA self-signed';

/**
 * Makes the secrets `server-certificate` and `server-key` for `host`, a name or an IP address, where they
 * are missing, are for another host, or expire within a month.
 * @throws with a sentence where somebody put a certificate there that does not fit.
 */
export async function ensureCertificate(secretsDir: string, host: string): Promise<void> {
  const present = await readCertificate(secretsDir).catch(() => undefined);
  const fault = present && faultOf(present, host);
  if (present && fault === undefined) return;
  if (present && !new X509Certificate(present.certificate).subject.includes(organization))
    throw new Error(`the certificate in the secrets folder (server-certificate) ${fault}: replace it`);

  const made = await generate(
    [
      { name: 'commonName', value: host },
      { name: 'organizationName', value: organization },
    ],
    {
      keyType: 'ec',
      algorithm: 'sha256',
      notBeforeDate: new Date(Date.now() - validDaysBefore * dayMs),
      notAfterDate: new Date(Date.now() + validDays * dayMs),
      extensions: [
        { name: 'basicConstraints', cA: false },
        { name: 'subjectAltName', altNames: [isIP(host) ? { type: 7, ip: host } : { type: 2, value: host }] },
      ],
    },
  );
  // A crash between the two leaves a pair that does not fit, which is made anew.
  await replace(join(secretsDir, 'server-key'), made.private);
  await replace(join(secretsDir, 'server-certificate'), made.cert);
}

/** @throws where one of the two is missing. */
export async function readCertificate(secretsDir: string): Promise<Certificate> {
  const [certificate, key] = await Promise.all(
    ['server-certificate', 'server-key'].map((name) => readFile(join(secretsDir, name), 'utf8')),
  );
  return { certificate: certificate!, key: key! };
}

function faultOf({ certificate, key }: Certificate, host: string): string | undefined {
  const parsed = new X509Certificate(certificate);
  if (!parsed.checkPrivateKey(createPrivateKey(key)))
    return 'does not belong to the key beside it (server-key)';
  if (!(isIP(host) ? parsed.checkIP(host) : parsed.checkHost(host))) return `is not for ${host}`;
  const expiresAtMs = Date.parse(parsed.validTo);
  return expiresAtMs < Date.now() + renewedDaysBefore * dayMs ? `expires on ${parsed.validTo}` : undefined;
}

async function replace(path: string, text: string): Promise<void> {
  await writeFile(`${path}.unfinished`, text, { mode: 0o600, flush: true });
  await rename(`${path}.unfinished`, path);
}
