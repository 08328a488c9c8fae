import { isDeepStrictEqual } from 'node:util';
import { hashPassword, verifyPassword } from './passwords.ts';
import type { Acl, Login, Role, SecurityState } from './state.ts';

/** A login of one of our own always-on programs; its role has the same name. */
export interface BaseLogin {
  username: BaseUsername;
  password: string;
}

export const baseUsernames = ['functions', 'connector', 'objects'] as const;
export type BaseUsername = (typeof baseUsernames)[number];

const rules: Record<BaseUsername, readonly Acl[]> = {
  // Announces state changes, and makes and drops the logins of rented workers.
  functions: [
    allow('publishClientSend', 'aima/#'),
    allow('publishClientSend', '$CONTROL/dynamic-security/#'),
    allow('subscribePattern', '$CONTROL/dynamic-security/#'),
    // Mosquitto 2.0 delivers on $CONTROL only where a rule says so, whatever the default access.
    allow('publishClientReceive', '$CONTROL/dynamic-security/#'),
  ],
  // Only listens: it turns events into invocations.
  connector: [allow('subscribePattern', 'aima/#')],
  // The object store's bucket notifications.
  objects: [allow('publishClientSend', 'aima/media/uploaded')],
};

function allow(acltype: Acl['acltype'], topic: string): Acl {
  return { acltype, topic, priority: 0, allow: true };
}

/**
 * Puts the base logins and their roles into the state as the secrets and this file say, whatever it held
 * before: a changed secret or a new version of the rules takes effect with the next start.
 *
 * @returns which of them were missing or different; a password that is still the same keeps its hash.
 */
export async function setBaseLogins(
  state: SecurityState,
  logins: readonly BaseLogin[],
): Promise<BaseUsername[]> {
  const changed: BaseUsername[] = [];
  for (const { username, password } of logins) {
    const role = { rolename: username, acls: [...rules[username]] };
    const login: Login = { username, roles: [{ rolename: username }] };
    const known = state.logins.get(username);
    const isSame = isAsItShould(known, login) && hasRules(state.roles.get(username), role.acls);
    if (isSame && (await hasPassword(known, password))) continue;
    state.roles.set(username, role);
    state.logins.set(username, { ...login, ...(await hashPassword(password)) });
    changed.push(username);
  }
  return changed;
}

function isAsItShould(known: Login | undefined, login: Login): known is Login {
  if (known === undefined) return false;
  const { password: _password, salt: _salt, iterations: _iterations, ...rest } = known;
  return isDeepStrictEqual(rest, login);
}

/** Mosquitto writes them in an order of its own. */
function hasRules(role: Role | undefined, acls: readonly Acl[]): boolean {
  const sorted = (list: readonly Acl[]) =>
    list.map((acl) => `${acl.acltype} ${acl.topic} ${acl.allow}`).toSorted();
  return role !== undefined && isDeepStrictEqual(sorted(role.acls), sorted(acls));
}

async function hasPassword({ password: hash, salt, iterations }: Login, password: string): Promise<boolean> {
  if (hash === undefined || salt === undefined || iterations === undefined) return false;
  return verifyPassword(Buffer.from(password), { password: hash, salt, iterations });
}
