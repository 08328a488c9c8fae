/**
 * Makes the certificate that Postgres and the broker show, where it is missing, for another name, or about to
 * expire. Environment: AIMA_SECRETS_DIR, AIMA_PUBLIC_HOST.
 */
import { z } from 'zod';
import { ensureCertificate } from './certificate.ts';

const { AIMA_SECRETS_DIR, AIMA_PUBLIC_HOST } = z
  .object({ AIMA_SECRETS_DIR: z.string().min(1), AIMA_PUBLIC_HOST: z.string().min(1) })
  .parse(process.env);
await ensureCertificate(AIMA_SECRETS_DIR, AIMA_PUBLIC_HOST);
