/** The machines of AIMA_SSH_HOSTS: `user@host`, `user@host:port`, `user@[IPv6 address]:port`. */

export interface SshHost {
  /** As it is configured: what people, offers and machine ids name it by. */
  name: string;
  user: string;
  address: string;
  port: number;
}

/** @throws Error that names what is no such host. */
export function parseHost(text: string): SshHost {
  const match = /^([^@\s/]+)@(?:\[([0-9a-f:]+)\]|([^:@\s/]+))(?::(\d{1,5}))?$/i.exec(text);
  if (!match) throw new Error(`AIMA_SSH_HOSTS: ${text} is not user@host or user@host:port.`);
  return { name: text, user: match[1]!, address: (match[2] ?? match[3])!, port: Number(match[4] ?? 22) };
}
