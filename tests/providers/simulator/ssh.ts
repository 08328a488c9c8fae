/**
 * One of the user's own GPU machines: a real SSH server, whose `sh` knows the commands of docker.ts
 * beside this file. Faults that are HTTP answers elsewhere are what docker says in such a case here.
 */
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import ssh2, { type AuthContext, type Connection, type ParsedKey, type ServerChannel } from 'ssh2';
import type { Clock } from './clock.ts';
import { dockerMachine, inDockersWords, type Outcome } from './docker.ts';
import { openMarket, type StartContainer } from './market.ts';
import type { Simulator } from './server.ts';
import { commandsOf } from './shell-words.ts';
import { newSshKey } from './ssh-key.ts';

export interface SshSimulatorOptions {
  clock?: Clock;
  gpu?: { name: string; vramMb: number };
  image: string;
  /** Whether it is there before anybody pulls it. */
  hasImage?: boolean;
  startContainer?: StartContainer;
  port?: number;
}

export interface SshSimulator extends Simulator {
  /** `user@127.0.0.1:port`, as in AIMA_SSH_HOSTS. */
  host: string;
  /** The key that it takes, and one that it does not. */
  privateKey: string;
  strangersKey: string;
  /** Its line of known_hosts. */
  knownHosts: string;
  hasImage(): boolean;
}

/** Its `requests` are the scripts that came, as bodies. */
export async function startSsh(options: SshSimulatorOptions): Promise<SshSimulator> {
  const gpu = options.gpu ?? { name: 'NVIDIA GeForce RTX 3090', vramMb: 24_576 };
  const market = openMarket({
    ...(options.clock ? { clock: options.clock } : {}),
    offers: [{ id: 'gpu', stock: 1000, pricePerHour: 0, facts: gpu }],
    onExit: 'stay',
    billedFrom: 'create',
    newId: (count) => `container-${count}`,
    ...(options.startContainer ? { startContainer: options.startContainer } : {}),
  });
  const [hostKey, usersKey, strangersKey] = [newSshKey(), newSshKey(), newSshKey()];
  const requests: Simulator['requests'] = [];
  const connections = new Set<Connection>();

  const server = new ssh2.Server({ hostKeys: [hostKey.private] }, (connection) => {
    connections.add(connection);
    // As sshd does; the library's types do not know it of a server's connection.
    (connection as Connection & { setNoDelay(on: boolean): void }).setNoDelay(true);
    connection.on('close', () => connections.delete(connection));
    // A client that hangs up in the middle is what some tests are about.
    connection.on('error', () => {});
    connection.on('authentication', (context) => authenticate(context, usersKey.public));
    connection.on('session', (accept) =>
      accept().on('exec', (acceptExec, _reject, { command }) => serve(connection, acceptExec(), command)),
    );
  });
  await new Promise<void>((ready) => server.listen(options.port ?? 0, '127.0.0.1', ready));
  const { port } = server.address() as AddressInfo;
  const host = `tester@127.0.0.1:${port}`;
  const machine = dockerMachine({
    market,
    gpu,
    image: options.image,
    hasImage: options.hasImage ?? true,
    idOf: (label) => `${host}/${label}`,
  });

  async function serve(connection: Connection, channel: ServerChannel, command: string): Promise<void> {
    channel.on('error', () => {});
    const chunks: Buffer[] = [];
    channel.on('data', (chunk: Buffer) => chunks.push(chunk));
    await once(channel, 'end');
    const script = Buffer.concat(chunks).toString('utf8');
    requests.push({ method: 'EXEC', path: command, query: new URLSearchParams(), headers: {}, body: script });
    const outcome =
      command === 'sh' ? await runScript(script) : { code: 127, stderr: `${command}: not found\n` };
    if (outcome === 'cut') return void connection.end();
    channel.stderr.write(outcome.stderr ?? '');
    channel.write(outcome.stdout ?? '');
    channel.exit(outcome.code);
    channel.end();
  }

  /** @returns how its last command ended, or that the connection breaks. */
  async function runScript(script: string): Promise<Outcome | 'cut'> {
    const variables = new Map<string, string>();
    let outcome: Outcome = { code: 0 };
    for (const words of commandsOf(script)) {
      if (words[0] === 'export') {
        const [name, ...value] = words[1]!.split('=');
        variables.set(name!, value.join('='));
        continue;
      }
      if (/^[{}]$/.test(words[0]!)) continue;
      const call = machine.callOf(words);
      const fault = call && market.faults.take(call);
      if (fault?.kind === 'dropped') return 'cut';
      const isDone = fault?.kind !== 'answer' || fault.done;
      if (isDone) outcome = machine.run(words, variables, fault);
      if (fault?.kind === 'answer_lost') return 'cut';
      if (fault?.kind === 'answer') outcome = inDockersWords(fault);
      if (fault?.kind === 'slow') await sleep(fault.ms);
    }
    return outcome;
  }

  return {
    url: `ssh://127.0.0.1:${port}`,
    host,
    privateKey: usersKey.private,
    strangersKey: strangersKey.private,
    knownHosts: `[127.0.0.1]:${port} ${hostKey.public}`,
    hasImage: machine.hasImage,
    market,
    requests,
    async close() {
      market.close();
      for (const connection of connections) connection.end();
      await new Promise<void>((done) => server.close(() => done()));
    },
  };
}

function authenticate(context: AuthContext, publicKey: string): void {
  const key = ssh2.utils.parseKey(publicKey) as ParsedKey;
  const isUsers = context.method === 'publickey' && context.key.data.equals(key.getPublicSSH());
  // Without a signature it is only asked whether this key would do.
  if (isUsers && (!context.signature || key.verify(context.blob!, context.signature, context.hashAlgo)))
    context.accept();
  else context.reject(['publickey']);
}
