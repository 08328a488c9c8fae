/**
 * A connection to one host, on which short scripts are run by its `sh`.
 *
 * The script goes in through stdin. So nothing of it stands on a command line, where every user of
 * the machine could read it, nor in a file; and the user's own shell, which may be none of the
 * Bourne family, has only the word `sh` to understand. The braces around it let nothing of it run
 * before all of it has come, whatever breaks.
 */
import type { Client, ClientChannel, ServerHostKeyAlgorithm } from 'ssh2';
import { ProviderError } from '../provider.ts';
import type { SshHost } from './hosts.ts';
import { howToKnow, keysOf } from './known-hosts.ts';

export interface SshAccess {
  /** In OpenSSH's or PEM form, without a passphrase. */
  privateKey: string;
  /** Lines of OpenSSH's known_hosts. */
  knownHosts: string;
  /** For the connection and everything that is done on it. */
  timeoutMs: number;
}

export interface Ended {
  code: number;
  stdout: string;
  stderr: string;
}

/** Runs a script. @throws ProviderError `unavailable` where its end was not heard: it may have done its work. */
export type Run = (script: string) => Promise<Ended>;

/** A listing of all containers comes nowhere near it; output without end must not fill the memory. */
const mostBytes = 8 << 20;

/**
 * Connects, does the work, and closes in any case.
 * @throws ProviderError `unauthorized` where the host's key is not known or ours is not taken,
 *   `unavailable` where it cannot be reached or took too long, or whatever the work throws.
 */
export async function onHost<T>(
  host: SshHost,
  access: SshAccess,
  work: (run: Run) => Promise<T>,
): Promise<T> {
  const client = await newClient();
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    const error = new ProviderError('unavailable', `${host.name} did not answer in time.`);
    timer = setTimeout(() => reject(error), access.timeoutMs);
  });
  try {
    const done = (async () => {
      await connect(client, host, access);
      return await work((script) => run(client, host, script));
    })();
    // What comes after it was given up concerns nobody.
    done.catch(() => {});
    return await Promise.race([done, late]);
  } finally {
    clearTimeout(timer);
    client.end();
    client.destroy();
  }
}

/** Loaded where it is used: the library costs every function process 18 MB, and most have no such host. */
async function newClient(): Promise<Client> {
  const { default: ssh2 } = await import('ssh2');
  return new ssh2.Client();
}

function connect(client: Client, host: SshHost, access: SshAccess): Promise<void> {
  const keys = keysOf(host, access.knownHosts);
  if (keys.known.length === 0)
    throw new ProviderError('unauthorized', `The host key of ${host.name} is not known: ${howToKnow(host)}.`);
  const isAmong = (key: Buffer, list: Buffer[]) => list.some((one) => one.equals(key));
  let isStranger = false;

  return new Promise((resolve, reject) => {
    client.once('ready', resolve);
    // Stays for the connection's whole life: what breaks later fails the script that runs then.
    client.on('error', (cause: Error & { level?: string }) => {
      const [reason, what] = isStranger
        ? ([
            'unauthorized',
            `shows another host key than the known one; if that is right, ${howToKnow(host)}`,
          ] as const)
        : cause.level === 'client-authentication'
          ? (['unauthorized', 'does not take our key (the secret ssh-private-key)'] as const)
          : (['unavailable', `cannot be reached: ${cause.message}`] as const);
      reject(new ProviderError(reason, `${host.name} ${what}.`, { cause }));
    });
    client.once('close', () => reject(new ProviderError('unavailable', `${host.name} hung up.`)));
    try {
      client.connect({
        host: host.address,
        port: host.port,
        username: host.user,
        privateKey: access.privateKey,
        authHandler: ['publickey'],
        readyTimeout: 0, // one timer for all of it
        algorithms: { serverHostKey: keys.types.flatMap(signatureAlgorithms) },
        hostVerifier: (key: Buffer) => {
          isStranger = !isAmong(key, keys.known) || isAmong(key, keys.revoked);
          return !isStranger;
        },
      });
      // A handshake is many small messages to and fro: half a second of waiting without it.
      client.setNoDelay(true);
    } catch (cause) {
      // The library says so of a private key that it cannot read.
      reject(new ProviderError('unauthorized', `The secret ssh-private-key: ${(cause as Error).message}`));
    }
  });
}

/** An RSA key signs in other ways than its type is called (RFC 8332). */
function signatureAlgorithms(type: string): ServerHostKeyAlgorithm[] {
  return (type === 'ssh-rsa' ? ['rsa-sha2-512', 'rsa-sha2-256'] : [type]) as ServerHostKeyAlgorithm[];
}

function run(client: Client, host: SshHost, script: string): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const lost = (cause?: Error) =>
      reject(
        new ProviderError(
          'unavailable',
          `${host.name}: the connection broke.`,
          ...(cause ? [{ cause }] : []),
        ),
      );
    client.once('close', () => lost());
    client.exec('sh', (error, channel) => {
      if (error) return lost(error);
      const output = { stdout: collect(channel, channel), stderr: collect(channel.stderr, channel) };
      let code: number | null = null;
      channel.on('exit', (exitCode: number | null) => {
        code = exitCode;
      });
      channel.on('error', lost);
      channel.on('close', () => {
        // Without an exit code it was killed or cut off: what it did is not known.
        if (code === null) lost();
        else resolve({ code, stdout: output.stdout(), stderr: output.stderr() });
      });
      channel.end(`{\n${script}\n}\n`);
    });
  });
}

/** @returns what has come so far. More than there can be closes the channel. */
function collect(stream: NodeJS.ReadableStream, channel: ClientChannel): () => string {
  const chunks: Buffer[] = [];
  let bytes = 0;
  stream.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > mostBytes) channel.destroy();
    else chunks.push(chunk);
  });
  return () => Buffer.concat(chunks).toString('utf8');
}
