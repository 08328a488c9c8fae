/**
 * Which keys a host may show: lines of OpenSSH's known_hosts, sshd(8). Nothing is trusted at first
 * sight, since whoever answers in a host's place would be handed media and the logins of a lease.
 *
 * Understood are names, `[name]:port`, hashed names and `@revoked`. A line with a pattern or a
 * certificate authority makes no host known: better unknown than wrongly known.
 */
import { createHmac } from 'node:crypto';
import type { SshHost } from './hosts.ts';

export interface HostKeys {
  /** What the host may show, as it comes over the wire. */
  known: Buffer[];
  revoked: Buffer[];
  /** `ssh-ed25519` and so on: the host is only asked for these. */
  types: string[];
}

/** Those that our client can check; OpenSSH knows more, which nobody's host has alone. */
const types = ['ssh-ed25519', 'ecdsa-sha2-nistp256', 'ecdsa-sha2-nistp384', 'ecdsa-sha2-nistp521', 'ssh-rsa'];

/** What `knownHosts` says of one host. */
export function keysOf(host: SshHost, knownHosts: string): HostKeys {
  const name = knownHostsName(host);
  const keys: HostKeys = { known: [], revoked: [], types: [] };
  for (const line of knownHosts.split('\n')) {
    const words = line.trim().split(/\s+/);
    const marker = words[0]?.startsWith('@') ? words.shift() : null;
    const [names, type, key] = words;
    if (
      !names ||
      names.startsWith('#') ||
      !type ||
      !key ||
      !names.split(',').some((one) => isName(one, name))
    )
      continue;
    if (marker === '@revoked') keys.revoked.push(Buffer.from(key, 'base64'));
    if (marker !== null || !types.includes(type)) continue;
    keys.known.push(Buffer.from(key, 'base64'));
    keys.types.push(type);
  }
  return keys;
}

/** How a person makes a host known. */
export function howToKnow(host: SshHost): string {
  return (
    `get its lines with "ssh-keyscan -p ${host.port} ${host.address}", compare them with what ` +
    '"ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub" shows on the machine itself (put ' +
    '"| ssh-keygen -lf -" behind the first), and add them to the secret ssh-known-hosts'
  );
}

/** The standard port is not written. */
function knownHostsName({ address, port }: SshHost): string {
  return port === 22 ? address : `[${address}]:${port}`;
}

/** Hashed: `|1|salt|HMAC-SHA1 of the name`. */
function isName(written: string, name: string): boolean {
  const [, kind, salt, hash] = written.split('|');
  if (kind !== '1' || !salt || !hash) return written.toLowerCase() === name.toLowerCase();
  return createHmac('sha1', Buffer.from(salt, 'base64')).update(name).digest('base64') === hash;
}
