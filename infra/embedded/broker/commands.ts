import { z } from 'zod';
import { hashPassword } from '../../broker/passwords.ts';
import {
  aclSchema,
  aclTypeSchema,
  clientSchema,
  heldRoleSchema,
  type Login,
  roleSchema,
  type SecurityState,
} from '../../broker/state.ts';

/**
 * The subset of the dynamic security commands that we use or that a person needs to look around, with the
 * names, answers and error texts of Mosquitto 2.0 (observed on 2.0.11; documented at
 * https://mosquitto.org/documentation/dynamic-security/). Any other command answers "Unknown command".
 */

/** What a command did: an error text, or data to answer, and the logins whose open sessions must end. */
interface Outcome {
  error?: string;
  data?: Record<string, unknown>;
  endSessionsOf?: string[];
}

type Command = (state: SecurityState, entry: unknown) => Promise<Outcome>;

const clientNotFound: Outcome = { error: 'Client not found' };
const roleNotFound: Outcome = { error: 'Role not found' };

const username = clientSchema.shape.username;
const rolename = roleSchema.shape.rolename;
const password = z.string().min(1);
const newClientSchema = clientSchema
  .pick({ username: true, clientid: true, textname: true, textdescription: true, roles: true })
  .extend({ password });
const listing = z.object({ verbose: z.boolean().default(false) });

const commands = new Map<string, Command>([
  [
    'createClient',
    command(newClientSchema, async (state, { password, ...login }) => {
      if (state.logins.has(login.username)) return { error: 'Client already exists' };
      if (login.roles.some((role) => !state.roles.has(role.rolename))) return roleNotFound;
      state.logins.set(login.username, { ...login, ...(await hashPassword(password)) });
      return {};
    }),
  ],
  [
    'deleteClient',
    command(z.object({ username }), (state, { username }) =>
      state.logins.delete(username) ? { endSessionsOf: [username] } : clientNotFound,
    ),
  ],
  [
    'enableClient',
    loginCommand(z.object({ username }), (login) => {
      login.disabled = undefined;
      return {};
    }),
  ],
  [
    'disableClient',
    loginCommand(z.object({ username }), (login) => {
      login.disabled = true;
      return { endSessionsOf: [login.username] };
    }),
  ],
  [
    'setClientPassword',
    loginCommand(z.object({ username, password }), async (login, { password }) => {
      Object.assign(login, await hashPassword(password));
      return { endSessionsOf: [login.username] };
    }),
  ],
  [
    'addClientRole',
    loginCommand(heldRoleSchema.extend({ username }), (login, { username: _, ...role }, state) => {
      if (!state.roles.has(role.rolename)) return roleNotFound;
      login.roles = [...login.roles.filter(({ rolename }) => rolename !== role.rolename), role];
      return { endSessionsOf: [login.username] };
    }),
  ],
  [
    'removeClientRole',
    loginCommand(z.object({ username, rolename }), (login, { rolename }) => {
      login.roles = login.roles.filter((role) => role.rolename !== rolename);
      return { endSessionsOf: [login.username] };
    }),
  ],
  [
    'getClient',
    loginCommand(z.object({ username }), (login) => ({ data: { client: withoutPassword(login) } })),
  ],
  [
    'listClients',
    command(listing, ({ logins }, { verbose }) => {
      const clients = [...logins.values()].map((login) =>
        verbose ? withoutPassword(login) : login.username,
      );
      return { data: { totalCount: clients.length, clients } };
    }),
  ],
  [
    'createRole',
    command(roleSchema, (state, role) => {
      if (state.roles.has(role.rolename)) return { error: 'Role already exists' };
      state.roles.set(role.rolename, role);
      return {};
    }),
  ],
  [
    'deleteRole',
    command(z.object({ rolename }), (state, { rolename }) => {
      if (!state.roles.delete(rolename)) return roleNotFound;
      const holders = holdersOf(state, rolename);
      for (const login of state.logins.values()) {
        login.roles = login.roles.filter((role) => role.rolename !== rolename);
      }
      return { endSessionsOf: holders };
    }),
  ],
  [
    'addRoleACL',
    command(aclSchema.extend({ rolename }), (state, { rolename, ...acl }) => {
      const role = state.roles.get(rolename);
      if (role === undefined) return roleNotFound;
      if (role.acls.some((known) => known.acltype === acl.acltype && known.topic === acl.topic)) {
        return { error: 'ACL with this topic already exists' };
      }
      role.acls.push(acl);
      return { endSessionsOf: acl.allow ? [] : holdersOf(state, rolename) };
    }),
  ],
  [
    'removeRoleACL',
    command(
      z.object({ rolename, acltype: aclTypeSchema, topic: z.string() }),
      (state, { rolename, acltype, topic }) => {
        const role = state.roles.get(rolename);
        if (role === undefined) return roleNotFound;
        const kept = role.acls.filter((acl) => acl.acltype !== acltype || acl.topic !== topic);
        if (kept.length === role.acls.length) return { error: 'ACL not found' };
        role.acls = kept;
        return { endSessionsOf: holdersOf(state, rolename) };
      },
    ),
  ],
  [
    'getRole',
    command(z.object({ rolename }), (state, { rolename }) => {
      const role = state.roles.get(rolename);
      return role === undefined ? roleNotFound : { data: { role } };
    }),
  ],
  [
    'listRoles',
    command(listing, (state, { verbose }) => {
      const roles = [...state.roles.values()].map((role) => (verbose ? role : role.rolename));
      return { data: { totalCount: roles.length, roles } };
    }),
  ],
]);

function command<Schema extends z.ZodType>(
  schema: Schema,
  run: (state: SecurityState, input: z.output<Schema>) => Outcome | Promise<Outcome>,
): Command {
  return async (state, entry) => {
    const input = schema.safeParse(entry);
    if (!input.success) return { error: `Invalid/missing ${String(input.error.issues[0]?.path[0])}` };
    return run(state, input.data);
  };
}

/** A command about a login that must be there. */
function loginCommand<Schema extends z.ZodType<{ username: string }>>(
  schema: Schema,
  run: (login: Login, input: z.output<Schema>, state: SecurityState) => Outcome | Promise<Outcome>,
): Command {
  return command(schema, (state, input) => {
    const login = state.logins.get(input.username);
    return login === undefined ? clientNotFound : run(login, input, state);
  });
}

function holdersOf(state: SecurityState, rolename: string): string[] {
  return [...state.logins.values()]
    .filter((login) => login.roles.some((role) => role.rolename === rolename))
    .map((login) => login.username);
}

function withoutPassword({ password: _password, salt: _salt, iterations: _iterations, ...login }: Login) {
  return { ...login, groups: [] };
}

const requestSchema = z.object({ commands: z.array(z.unknown()).max(1000) });
const envelopeSchema = z.object({ command: z.string(), correlationData: z.string().optional() });

/** The answer to one control message, and whose open sessions must end because of it. */
export interface ControlResult {
  response: string;
  endSessionsOf: Set<string>;
}

/**
 * Carries out the commands of one message on `$CONTROL/dynamic-security/v1`, in order, changing `state` in
 * place. Never throws on what was sent: every fault becomes an `error` in the response.
 */
export async function runCommands(state: SecurityState, payload: Buffer): Promise<ControlResult> {
  const endSessionsOf = new Set<string>();
  const responses: Record<string, unknown>[] = [];
  const request = requestSchema.safeParse(parseJson(payload));
  if (!request.success) {
    responses.push({ command: 'Unknown command', error: 'Invalid/missing commands' });
  }
  for (const entry of request.data?.commands ?? []) {
    const envelope = envelopeSchema.safeParse(entry);
    if (!envelope.success) {
      responses.push({ command: 'Unknown command', error: 'Missing command' });
      continue;
    }
    const { command: name, correlationData } = envelope.data;
    const outcome = (await commands.get(name)?.(state, entry)) ?? { error: 'Unknown command' };
    for (const username of outcome.endSessionsOf ?? []) endSessionsOf.add(username);
    responses.push({ command: name, error: outcome.error, data: outcome.data, correlationData });
  }
  return { response: JSON.stringify({ responses }), endSessionsOf };
}

function parseJson(payload: Buffer): unknown {
  try {
    return JSON.parse(payload.toString('utf8'));
  } catch {
    return undefined;
  }
}
