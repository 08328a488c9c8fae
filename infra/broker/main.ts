/**
 * Gives Mosquitto its logins: the base logins and their roles, as the secrets and base-logins.ts say, in
 * the file of its dynamic security plugin. To be run before every start of Mosquitto (`ExecStartPre=`,
 * an init container), as the embedded broker does it too: so no administrator's login is needed, and a
 * changed secret takes effect with the next start. Mosquitto reads the file then and never again, and
 * writes it when a lease's login is made or dropped; those logins stay as they are.
 *
 * Run beside a running Mosquitto it does no harm; what it changes counts from the next start.
 *
 * Environment:
 *   AIMA_SECRETS_DIR     folder with mqtt-functions-password, mqtt-connector-password, mqtt-objects-password
 *   AIMA_BROKER_LOGINS   the file, default /var/lib/mosquitto/dynamic-security.json
 */
import { chown, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { type BaseLogin, type BaseUsername, baseUsernames, setBaseLogins } from './base-logins.ts';
import { loadState, saveState } from './state.ts';

const Environment = z.object({
  AIMA_SECRETS_DIR: z.string().min(1),
  AIMA_BROKER_LOGINS: z.string().min(1).default('/var/lib/mosquitto/dynamic-security.json'),
});

async function main(): Promise<void> {
  const parsed = Environment.safeParse(process.env);
  if (!parsed.success) throw new Error(`the environment is not complete:\n${z.prettifyError(parsed.error)}`);
  const { AIMA_SECRETS_DIR: secretsDir, AIMA_BROKER_LOGINS: file } = parsed.data;
  const logins = await Promise.all(baseUsernames.map((username) => readLogin(secretsDir, username)));

  const state = await loadState(file, (line) => console.log(`broker: ${line}`));
  const changed = await setBaseLogins(state, logins);
  if (changed.length > 0) await saveState(file, state);
  await giveToMosquitto(file);
  const what = changed.length > 0 ? `set ${changed.join(', ')}` : 'nothing to change';
  console.log(`broker: ${what} in ${file}`);
}

async function readLogin(secretsDir: string, username: BaseUsername): Promise<BaseLogin> {
  const name = `mqtt-${username}-password`;
  const password = (await readFile(path.join(secretsDir, name), 'utf8')).trim();
  if (password === '') throw new Error(`the secret ${name} is empty`);
  return { username, password };
}

/** Mosquitto, which has given up root by then, must be able to rewrite the file: it belongs to the folder's owner. */
async function giveToMosquitto(file: string): Promise<void> {
  if (process.getuid?.() !== 0) return;
  const { uid, gid } = await stat(path.dirname(file));
  await chown(file, uid, gid);
}

main().catch((error: unknown) => {
  console.error(`broker: ${error instanceof Error ? error.message : String(error)}`);
  process.exit(1);
});
