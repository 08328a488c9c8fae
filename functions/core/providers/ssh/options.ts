/** What the adapter needs to know, and where the configuration has it. */
import type { Config } from '../../config.ts';
import type { SshAccess } from './connection.ts';
import { parseHost, type SshHost } from './hosts.ts';

export interface SshOptions {
  hosts: SshHost[];
  privateKey: string;
  knownHosts: string;
  image: string;
  /** For a create, and for every other call. */
  timeoutMs?: { create: number; other: number };
}

/** @throws Error that names what the configuration lacks. */
export function sshOptions(config: Config): SshOptions {
  if (config.AIMA_SSH_HOSTS.length === 0) throw new Error('AIMA_SSH_HOSTS names no host, such as user@host.');
  if (!config.AIMA_WORKER_IMAGE) throw new Error('AIMA_WORKER_IMAGE is missing: the image that hosts run.');
  return {
    hosts: config.AIMA_SSH_HOSTS.map(parseHost),
    privateKey: config.secret('ssh-private-key'),
    knownHosts: config.secret('ssh-known-hosts'),
    image: config.AIMA_WORKER_IMAGE,
  };
}

export function timeoutsOf(options: SshOptions): { create: number; other: number } {
  return options.timeoutMs ?? { create: 30_000, other: 15_000 };
}

export function accessTo(options: SshOptions, call: 'create' | 'other' = 'other'): SshAccess {
  const { privateKey, knownHosts } = options;
  return { privateKey, knownHosts, timeoutMs: timeoutsOf(options)[call] };
}
