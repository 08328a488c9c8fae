/**
 * Makes the secrets that are missing in the folder AIMA_SECRETS_DIR, and prints the names of all.
 * For a server and for containers; the embedded system makes its own at each start.
 */
import { ensureSecrets } from './secrets.ts';

const dir = process.env.AIMA_SECRETS_DIR;
if (!dir) throw new Error('AIMA_SECRETS_DIR must name the folder for the secrets');
const secrets = await ensureSecrets(dir);
console.log(`secrets in ${dir}: ${Object.keys(secrets).join(', ')}`);
