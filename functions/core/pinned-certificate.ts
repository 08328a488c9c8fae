/**
 * One very certificate instead of all that some authority may sign: who knows the certificate of the
 * server beforehand needs neither a name nor an authority to know that it speaks to it.
 */
import { X509Certificate } from 'node:crypto';
import type { ConnectionOptions, PeerCertificate } from 'node:tls';

/** The first certificate of a PEM file, which is the server's own where a chain follows. @throws Error where there is none. */
export function firstCertificate(pem: string): string {
  const first = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/.exec(pem)?.[0];
  if (!first) throw new Error('There is no certificate in PEM form.');
  return `${new X509Certificate(first)}`;
}

/** For a TLS connection that goes on only where the other side shows this certificate (PEM). */
export function pinned(certificate: string) {
  const { raw } = new X509Certificate(certificate);
  return {
    ca: [certificate],
    // It may have been signed by an authority, which then need not be known.
    allowPartialTrustChain: true,
    rejectUnauthorized: true,
    checkServerIdentity: (_host: string, shown: PeerCertificate) =>
      raw.equals(shown.raw)
        ? undefined
        : new Error('The server shows another certificate than the known one.'),
  } satisfies ConnectionOptions;
}
