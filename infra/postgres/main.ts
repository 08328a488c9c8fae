/**
 * Brings the database to the newest schema, and ends. Environment:
 *   AIMA_POSTGRES_URL   address of the server as its superuser, without the password
 *   AIMA_SECRETS_DIR    folder with database-password, which the functions log in with, and
 *                       postgres-password; no such file where the server asks for none (peer, trust)
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { migrate } from './migrate.ts';

const { AIMA_POSTGRES_URL, AIMA_SECRETS_DIR } = z
  .object({
    AIMA_POSTGRES_URL: z.url({ protocol: /^postgres(ql)?$/ }),
    AIMA_SECRETS_DIR: z.string().min(1),
  })
  .parse(process.env);
const secret = (name: string) => readFileSync(join(AIMA_SECRETS_DIR, name), 'utf8').trim();

const url = new URL(AIMA_POSTGRES_URL);
if (existsSync(join(AIMA_SECRETS_DIR, 'postgres-password'))) url.password = secret('postgres-password');

const applied = await migrate({ superuserUrl: url.href, functionsPassword: secret('database-password') });
console.log(
  applied.length === 0 ? 'database: nothing to migrate' : `database: applied ${applied.join(', ')}`,
);
