import { createServer, type Server } from 'node:net';
import type { Duplex } from 'node:stream';
import { createServer as createTlsServer } from 'node:tls';
import { Aedes, type AedesOptions, type Client } from 'aedes';
import { createWebSocketStream, type WebSocketServer } from 'ws';
import type { BaseLogin } from '../../broker/base-logins.ts';
import type { Certificate } from '../../certificate/certificate.ts';
import { limitPacketSize } from './packet-limit.ts';
import { Security } from './security.ts';
import { closeWebSocketServer, listenWebSocket } from './web-socket.ts';

/*
 * The MQTT 3.1.1 broker of the embedded system: aedes over TCP and WebSocket, with the logins and rules of
 * Mosquitto's dynamic security plugin (state.ts, access.ts, commands.ts), so that the code which makes and
 * drops the logins of rented workers drives Mosquitto on a server without a change. Default is deny, anonymous
 * clients are refused.
 *
 * Sessions and retained messages live in memory and end with the process. That is enough: Postgres is the
 * truth and an event only rings the bell, so a sweep finds what a restart of the broker swallowed. Logins and
 * rules are on disk.
 *
 * Where MQTT 3.1.1 leaves a choice this broker does as Mosquitto does: a refused publish is acknowledged and
 * dropped (section 3.3.5), for closing the connection would make a client with that message in its store
 * reconnect for ever; a refused subscription is answered 0x80.
 */

const CONTROL_TOPIC = '$CONTROL/dynamic-security/v1';
const RESPONSE_TOPIC = `${CONTROL_TOPIC}/response`;
/** Where dropped messages go: no rule grants a subscription to it and no wildcard reaches a `$` topic. */
const NOWHERE = '$CONTROL/nowhere';

/** Our events are a few hundred bytes, an S3 event two thousand. */
const MAX_PACKET_BYTES = 256 * 1024;
const MAX_KEEPALIVE_SECONDS = 600;
const MAX_CONNECTIONS = 1000;
const MAX_CONNECTIONS_PER_LOGIN = 100;

export interface BrokerOptions {
  host: string;
  /** 0 = any free port; also for `wsPort` */
  port: number;
  wsPort: number;
  /** With it: a port on all addresses, over TLS, for the logins of rented machines alone. */
  outside?: Certificate & { port: number };
  /** where logins and rules are kept, in Mosquitto's format */
  statePath: string;
  baseLogins: readonly BaseLogin[];
  log: (line: string) => void;
}

export interface Broker {
  port: number;
  wsPort: number;
  close(): Promise<void>;
}

/** @throws when a port is taken or the state cannot be read or written */
export async function startBroker(options: BrokerOptions): Promise<Broker> {
  const security = await Security.open({
    path: options.statePath,
    baseLogins: options.baseLogins,
    maxConnectionsPerLogin: MAX_CONNECTIONS_PER_LOGIN,
    log: options.log,
  });
  const fromOutside = new WeakSet<Duplex>();
  const ownLogins = new Set<string>(options.baseLogins.map(({ username }) => username));
  /** Our own programs are on this machine. */
  const isMisplaced = (client: Client, username: string | undefined): boolean =>
    fromOutside.has(client.conn as Duplex) && (username === undefined || ownLogins.has(username));
  const aedes = await Aedes.createBroker({
    ...securityHooks(security, isMisplaced, options.log),
    keepaliveLimit: MAX_KEEPALIVE_SECONDS,
    maxClientsIdLength: 65_535,
  });
  aedes.addListener('error', (error: Error) => options.log(`broker: ${error.message}`));
  // aedes forgets the subscriptions of a session that is ended by a clean connect, but not what was queued
  // for it (MQTT 3.1.1 section 3.1.2.4 wants both gone).
  aedes.on('clientReady', (client) => {
    if (client.clean) client.emptyOutgoingQueue(() => undefined);
  });

  const connections = new Set<Duplex>();
  const accept = (connection: Duplex): Duplex => {
    connections.add(connection);
    connection.once('close', () => connections.delete(connection));
    const limited = limitPacketSize(connection, MAX_PACKET_BYTES);
    aedes.handle(limited);
    return limited;
  };
  const tcp = createServer({ noDelay: true, keepAlive: true }, accept);
  tcp.maxConnections = MAX_CONNECTIONS;
  const servers = [tcp];
  let ws: WebSocketServer | undefined;
  try {
    const port = await listenTcp(tcp, options.host, options.port);
    ws = await listenWebSocket(options.host, options.wsPort, MAX_PACKET_BYTES);
    ws.on('connection', (socket) => accept(createWebSocketStream(socket)));
    if (options.outside) {
      const { port, certificate: cert, key } = options.outside;
      const tls = createTlsServer(
        { cert, key, minVersion: 'TLSv1.3', noDelay: true, keepAlive: true },
        (socket) => fromOutside.add(accept(socket)),
      );
      tls.maxConnections = MAX_CONNECTIONS;
      servers.push(tls);
      await listenTcp(tls, undefined, port);
    }
    return { port, wsPort: portOf(ws), close: () => closeAll(aedes, servers, ws, connections) };
  } catch (error) {
    await closeAll(aedes, servers, ws, connections);
    throw error;
  }
}

function securityHooks(
  security: Security,
  isMisplaced: (client: Client, username: string | undefined) => boolean,
  log: (line: string) => void,
): AedesOptions {
  return {
    authenticate(client, username, password, done) {
      if (isMisplaced(client, username)) {
        log(`refused login ${JSON.stringify(username ?? null)} from outside`);
        return done(null, false);
      }
      security.admits(client, username, password).then(
        (admitted) => {
          if (!admitted) log(`refused login ${JSON.stringify(username ?? null)}`);
          done(null, admitted);
        },
        (error: Error) => {
          log(`cannot check login: ${error.message}`);
          done(null, false);
        },
      );
    },
    authorizePublish(client, packet, done) {
      // Without a client it is the broker itself, which only counts clients and subscriptions on $SYS.
      if (client === null) return done();
      const allowed = security.mayPublish(client, packet.topic);
      const { topic, payload } = packet;
      if (!allowed || topic.startsWith('$')) drop(packet);
      if (!allowed || topic !== CONTROL_TOPIC) return done();
      security.control(Buffer.from(payload)).then(
        (response) => {
          respond(client, response);
          done();
        },
        // Not answered and not acknowledged: the sender cannot know whether it survives a crash.
        (error: Error) => done(new Error(`cannot save the logins: ${error.message}`)),
      );
    },
    authorizeSubscribe(client, subscription, done) {
      done(null, security.maySubscribe(client, subscription.topic) ? subscription : null);
    },
    authorizeForward(client, packet) {
      return security.mayReceive(client, packet.topic) ? packet : null;
    },
  };
}

/** Makes a packet one that is acknowledged but reaches nobody and leaves nothing behind. */
function drop(packet: { topic: string; payload: string | Buffer; retain: boolean }): void {
  packet.topic = NOWHERE;
  packet.payload = Buffer.alloc(0);
  packet.retain = false;
}

function respond(client: Client, response: string): void {
  const packet = {
    cmd: 'publish',
    topic: RESPONSE_TOPIC,
    payload: response,
    qos: 0,
    dup: false,
    retain: false,
  } as const;
  // A sender that left in the meantime gets none; its command stands.
  client.publish(packet, () => undefined);
}

/** Without a host: on all addresses. */
function listenTcp(server: Server, host: string | undefined, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      resolve(portOf(server));
    });
  });
}

function portOf(server: Pick<Server, 'address'>): number {
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('not listening on a TCP port');
  return address.port;
}

async function closeAll(
  aedes: Aedes,
  servers: readonly Server[],
  ws: WebSocketServer | undefined,
  connections: ReadonlySet<Duplex>,
): Promise<void> {
  const closed = servers.map((server) => new Promise<void>((resolve) => server.close(() => resolve())));
  if (ws !== undefined) closed.push(closeWebSocketServer(ws));
  await new Promise<void>((resolve) => aedes.close(resolve));
  // aedes ends those that are logged in; for the others the servers would wait for ever.
  for (const connection of connections) connection.destroy();
  await Promise.all(closed);
}
