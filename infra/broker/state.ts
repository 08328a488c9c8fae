import { mkdir, open, readFile, rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import { z } from 'zod';
import { isTopicFilter } from './topic-filter.ts';

/**
 * The logins and rules of the broker, in the file format of Mosquitto's dynamic security plugin 2.0
 * (`dynamic-security.json`), so that a file written here can be given to Mosquitto and back. Groups are not
 * kept: nothing of ours uses them.
 */

export const aclTypes = [
  'publishClientSend',
  'publishClientReceive',
  'subscribeLiteral',
  'subscribePattern',
  'unsubscribeLiteral',
  'unsubscribePattern',
] as const;
export const aclTypeSchema = z.enum(aclTypes);

export const aclSchema = z.object({
  acltype: aclTypeSchema,
  topic: z.string().refine(isTopicFilter),
  priority: z.int().default(0),
  allow: z.boolean(),
});

export const heldRoleSchema = z.object({ rolename: z.string().min(1), priority: z.int().optional() });

export const roleSchema = z.object({
  rolename: z.string().min(1),
  textname: z.string().optional(),
  textdescription: z.string().optional(),
  acls: z.array(aclSchema).default([]),
});

export const clientSchema = z.object({
  username: z.string().min(1),
  /** When set, the login works with this MQTT client id only. */
  clientid: z.string().min(1).optional(),
  textname: z.string().optional(),
  textdescription: z.string().optional(),
  disabled: z.boolean().optional(),
  roles: z.array(heldRoleSchema).default([]),
  password: z.base64().optional(),
  salt: z.base64().optional(),
  iterations: z.int().positive().optional(),
});

const defaultAccessSchema = z.object({
  publishClientSend: z.boolean(),
  publishClientReceive: z.boolean(),
  subscribe: z.boolean(),
  unsubscribe: z.boolean(),
});

const fileSchema = z.object({
  defaultACLAccess: defaultAccessSchema,
  clients: z.array(clientSchema),
  roles: z.array(roleSchema),
});

export type Acl = z.output<typeof aclSchema>;
export type AclType = z.output<typeof aclTypeSchema>;
export type Role = z.output<typeof roleSchema>;
export type Login = z.output<typeof clientSchema>;

export interface SecurityState {
  readonly defaultAccess: z.output<typeof defaultAccessSchema>;
  readonly logins: Map<string, Login>;
  readonly roles: Map<string, Role>;
}

/** Nobody may do anything. Receiving is open by default because it needs a granted subscription first. */
export function emptyState(): SecurityState {
  return {
    defaultAccess: {
      publishClientSend: false,
      publishClientReceive: true,
      subscribe: false,
      unsubscribe: true,
    },
    logins: new Map(),
    roles: new Map(),
  };
}

export function serializeState(state: SecurityState): string {
  const file = {
    defaultACLAccess: state.defaultAccess,
    clients: [...state.logins.values()],
    groups: [],
    roles: [...state.roles.values()],
  };
  return `${JSON.stringify(file, null, 2)}\n`;
}

/** @throws SyntaxError or ZodError when the text is not such a file */
export function parseState(text: string): SecurityState {
  const file = fileSchema.parse(JSON.parse(text));
  return {
    defaultAccess: file.defaultACLAccess,
    logins: new Map(file.clients.map((login) => [login.username, login])),
    roles: new Map(file.roles.map((role) => [role.rolename, role])),
  };
}

/**
 * Reads the state; a missing file is an empty state. A file that cannot be parsed is put aside and an empty
 * state returned: the base logins are set at every start anyway, and a broker that refuses to start would stop
 * more than the few worker logins that are lost (their events are hints, Postgres is the truth).
 */
export async function loadState(path: string, log: (line: string) => void): Promise<SecurityState> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return emptyState();
    throw error;
  }
  try {
    return parseState(text);
  } catch {
    const asidePath = `${path}.unreadable`;
    await rename(path, asidePath);
    log(`the logins in ${path} cannot be read; put aside as ${asidePath}, starting with the base logins`);
    return emptyState();
  }
}

/** Replaces the file in one step: after a crash it holds either the old state or the new one. */
export async function saveState(path: string, state: SecurityState): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const temporaryPath = `${path}.new`;
  const file = await open(temporaryPath, 'w', 0o600);
  try {
    await file.writeFile(serializeState(state));
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(temporaryPath, path);
}
