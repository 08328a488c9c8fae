/**
 * Where rented workers reach this server: Postgres and the broker over TLS with a certificate of our
 * own, which they know beforehand, and the object store over https. Without all of it nothing is
 * rented: a machine that cannot reach us would be paid for nothing.
 */
import { isIPv6 } from 'node:net';
import type { Config } from './config.ts';
import { firstCertificate } from './pinned-certificate.ts';

export interface PublicAddress {
  /** As it stands in a URL. */
  host: string;
  postgresPort: number;
  mqttPort: number;
  s3Endpoint: string;
  /** What Postgres and the broker show, PEM. */
  certificate: string;
}

/** Providers limit what they take as environment; one certificate has 500 to 2,000 bytes. */
const mostCertificateBytes = 3072;

/** What of a public address is missing or cannot be used, in words; empty where nothing is. */
export function publicAddressFaults(config: Config): string[] {
  const faults: string[] = [];
  if (!config.AIMA_PUBLIC_HOST) faults.push('AIMA_PUBLIC_HOST is not set');
  if (!s3Endpoint(config)?.startsWith('https://'))
    faults.push('AIMA_S3_WORKER_ENDPOINT or AIMA_S3_PUBLIC_ENDPOINT must be an https address');
  const pem = config.hasSecret('server-certificate') ? config.secret('server-certificate') : '';
  if (pem === '') faults.push('the secret server-certificate is missing');
  else {
    try {
      const { length } = firstCertificate(pem);
      if (length > mostCertificateBytes)
        faults.push(
          `the secret server-certificate has ${length} bytes, and may have ${mostCertificateBytes}`,
        );
    } catch {
      faults.push('the secret server-certificate is no certificate in PEM form');
    }
  }
  return faults;
}

/** The sentence that says why nothing can be rented elsewhere, or null where it can. */
export function whyUnreachable(config: Config): string | null {
  const faults = publicAddressFaults(config);
  return faults.length === 0 ? null : `Rented machines could not reach this server: ${faults.join('; ')}.`;
}

/** @throws Error with a sentence that names all that is missing. */
export function requirePublicAddress(config: Config): PublicAddress {
  const why = whyUnreachable(config);
  if (why !== null) throw new Error(why);
  const host = config.AIMA_PUBLIC_HOST!;
  return {
    host: isIPv6(host) ? `[${host}]` : host,
    postgresPort: config.AIMA_PUBLIC_POSTGRES_PORT,
    mqttPort: config.AIMA_PUBLIC_MQTT_PORT,
    s3Endpoint: s3Endpoint(config)!,
    certificate: firstCertificate(config.secret('server-certificate')),
  };
}

function s3Endpoint(config: Config): string | undefined {
  return config.AIMA_S3_WORKER_ENDPOINT ?? config.AIMA_S3_PUBLIC_ENDPOINT;
}
