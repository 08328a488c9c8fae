import { hashPassword } from './passwords.ts';
import type { Acl, SecurityState } from './state.ts';

/** A login of one of our own always-on programs; its role has the same name. */
export interface BaseLogin {
  username: 'functions' | 'connector' | 'objects';
  password: string;
}

const rules: Record<BaseLogin['username'], readonly Acl[]> = {
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
 */
export async function setBaseLogins(state: SecurityState, logins: readonly BaseLogin[]): Promise<void> {
  for (const { username, password } of logins) {
    state.roles.set(username, { rolename: username, acls: [...rules[username]] });
    state.logins.set(username, {
      username,
      roles: [{ rolename: username }],
      ...(await hashPassword(password)),
    });
  }
}
