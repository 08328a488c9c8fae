/** A new key pair for ssh. Not by ssh2's own generator: 2 in 1,000 of its Ed25519 keys it could not read back. */
import { generateKeyPairSync } from 'node:crypto';
import ssh2, { type ParsedKey } from 'ssh2';

export interface SshKey {
  /** PEM. */
  private: string;
  /** As in known_hosts and authorized_keys. */
  public: string;
}

export function newSshKey(): SshKey {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const pem = privateKey.export({ type: 'sec1', format: 'pem' }).toString();
  const key = ssh2.utils.parseKey(pem) as ParsedKey;
  return { private: pem, public: `${key.type} ${key.getPublicSSH().toString('base64')}` };
}
