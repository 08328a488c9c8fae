import type { Acl, AclType, SecurityState } from '../../broker/state.ts';
import { filterCoversFilter, filterMatchesTopic } from '../../broker/topic-filter.ts';

/** What a client may be about to do: send to a topic, be sent one, subscribe to a filter, unsubscribe. */
export type Operation = 'publishClientSend' | 'publishClientReceive' | 'subscribe' | 'unsubscribe';

const rulesOf: Record<Operation, readonly AclType[]> = {
  publishClientSend: ['publishClientSend'],
  publishClientReceive: ['publishClientReceive'],
  subscribe: ['subscribeLiteral', 'subscribePattern'],
  unsubscribe: ['unsubscribeLiteral', 'unsubscribePattern'],
};

/**
 * Mosquitto's order: the roles of the login by descending priority, in each the rules for this operation
 * (literal ones before patterns) by descending priority; the first that matches decides, and where none does
 * the default access.
 *
 * @param subject the topic, or the filter for `subscribe` and `unsubscribe`
 */
export function isAllowed(
  state: SecurityState,
  username: string,
  operation: Operation,
  subject: string,
): boolean {
  const login = state.logins.get(username);
  if (login === undefined || login.disabled) return false;
  for (const { rolename } of login.roles.toSorted(byPriority)) {
    const acls = state.roles.get(rolename)?.acls ?? [];
    for (const acltype of rulesOf[operation]) {
      const deciding = acls
        .filter((acl) => acl.acltype === acltype && ruleMatches(acl, subject))
        .toSorted(byPriority)[0];
      if (deciding !== undefined) return deciding.allow;
    }
  }
  return state.defaultAccess[operation];
}

function byPriority(a: { priority?: number | undefined }, b: { priority?: number | undefined }): number {
  return (b.priority ?? 0) - (a.priority ?? 0);
}

function ruleMatches(acl: Acl, subject: string): boolean {
  switch (acl.acltype) {
    case 'publishClientSend':
    case 'publishClientReceive':
      return filterMatchesTopic(acl.topic, subject);
    case 'subscribeLiteral':
    case 'unsubscribeLiteral':
      return acl.topic === subject;
    case 'subscribePattern':
    case 'unsubscribePattern':
      return filterCoversFilter(acl.topic, subject);
  }
}
