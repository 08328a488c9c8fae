import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Connector, type ConnectorOptions } from '../../infra/connector/connector.ts';
import { closeClients, connectAs, type RunningBroker, startEmbedded } from '../broker/brokers.ts';

/** One invocation as the gateway received it. It stays unanswered until `answer` is called. */
export interface ReceivedInvocation {
  functionName: string;
  body: string;
  headers: IncomingHttpHeaders;
  answer(status: number, headers?: Record<string, string>): void;
}

export interface TestGateway {
  url: string;
  port: number;
  functions: Record<string, Record<string, string>>;
  /** how often the functions were listed */
  listings: number;
  /** all invocations in order of arrival */
  invocations: ReceivedInvocation[];
  /** the n-th invocation of a function (from 0), as soon as there is one */
  invocation(functionName: string, n: number): Promise<ReceivedInvocation>;
  /** how an invocation is answered; by default with 200 at once, `undefined` leaves it open */
  respond: (invocation: ReceivedInvocation) => number | undefined;
  stop(): Promise<void>;
}

const basicAuth = `Basic ${Buffer.from('admin:gateway-secret').toString('base64')}`;

/** A small HTTP server that speaks the two gateway routes which the connector uses. */
export async function startGateway(
  functions: Record<string, Record<string, string>>,
  port = 0,
): Promise<TestGateway> {
  const waiting = new Set<() => void>();
  const server = createServer((request, response) => {
    if (request.method === 'GET' && request.url === '/system/functions') {
      if (request.headers.authorization !== basicAuth) return void response.writeHead(401).end();
      gateway.listings += 1;
      const list = Object.entries(gateway.functions).map(([name, annotations]) => ({ name, annotations }));
      return void response.end(JSON.stringify(list));
    }
    const functionName = /^\/function\/([\w-]+)$/.exec(request.url ?? '')?.[1];
    const authorized = request.headers.authorization === 'Bearer connector-token';
    if (functionName === undefined || !authorized) return void response.writeHead(401).end();
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const invocation: ReceivedInvocation = {
        functionName,
        body: Buffer.concat(chunks).toString(),
        headers: request.headers,
        answer: (status, headers) => void response.writeHead(status, headers).end(),
      };
      gateway.invocations.push(invocation);
      const status = gateway.respond(invocation);
      if (status !== undefined) invocation.answer(status);
      for (const wake of waiting) wake();
    });
  });
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  const gateway: TestGateway = {
    url: `http://127.0.0.1:${address.port}`,
    port: address.port,
    functions,
    listings: 0,
    invocations: [],
    respond: () => 200,
    async invocation(functionName, n) {
      for (;;) {
        const found = gateway.invocations.filter((call) => call.functionName === functionName)[n];
        if (found !== undefined) return found;
        await new Promise<void>((resolve) => {
          const wake = () => {
            waiting.delete(wake);
            resolve();
          };
          waiting.add(wake);
        });
      }
    },
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return gateway;
}

/** Broker, gateway and connectors of one test, in a folder of its own. */
export class Stand {
  readonly dir: string;
  broker: RunningBroker;
  gateway: TestGateway;
  readonly log: string[] = [];
  readonly #connectors = new Set<Connector>();

  private constructor(dir: string, broker: RunningBroker, gateway: TestGateway) {
    this.dir = dir;
    this.broker = broker;
    this.gateway = gateway;
  }

  static async open(
    functions: Record<string, Record<string, string>>,
    startBroker: (dir: string) => Promise<RunningBroker> = startEmbedded,
  ): Promise<Stand> {
    const dir = await mkdtemp(join(tmpdir(), 'aima-connector-'));
    return new Stand(dir, await startBroker(dir), await startGateway(functions));
  }

  get dataDir(): string {
    return join(this.dir, 'connector');
  }

  /** A connector that is not started yet. */
  connector(options: Partial<ConnectorOptions> = {}): Connector {
    const connector = new Connector({
      gateway: {
        url: this.gateway.url,
        basicAuthUser: 'admin',
        basicAuthPassword: 'gateway-secret',
        connectorToken: 'connector-token',
      },
      mqtt: { url: this.broker.url, username: 'connector', password: 'connector-secret' },
      dataDir: this.dataDir,
      log: (line) => this.log.push(line),
      retryPolicy: { firstDelayMs: 5, maxDelayMs: 50, maxUnreachableDelayMs: 50, giveUpAfterMs: 60_000 },
      refreshEveryMs: 25,
      ...options,
    });
    this.#connectors.add(connector);
    return connector;
  }

  async startConnector(options: Partial<ConnectorOptions> = {}): Promise<Connector> {
    const connector = this.connector(options);
    await connector.start();
    return connector;
  }

  async stopConnector(connector: Connector): Promise<void> {
    this.#connectors.delete(connector);
    await connector.stop();
  }

  async publish(topic: string, ...bodies: string[]): Promise<void> {
    const client = await connectAs(this.broker.url, 'functions', 'functions-secret');
    for (const body of bodies) await client.publishAsync(topic, body, { qos: 1 });
    await client.endAsync();
  }

  /** The environment of the connector as a program. */
  async programEnvironment(): Promise<NodeJS.ProcessEnv> {
    const secretsDir = join(this.dir, 'secrets');
    await mkdir(secretsDir, { recursive: true, mode: 0o700 });
    const secrets = {
      'basic-auth-user': 'admin',
      'basic-auth-password': 'gateway-secret',
      'connector-token': 'connector-token',
      'mqtt-connector-password': 'connector-secret',
    };
    for (const [name, value] of Object.entries(secrets)) {
      await writeFile(join(secretsDir, name), `${value}\n`, { mode: 0o600 });
    }
    return {
      ...process.env,
      AIMA_DATA_DIR: this.dir,
      AIMA_SECRETS_DIR: secretsDir,
      AIMA_GATEWAY_URL: this.gateway.url,
      AIMA_MQTT_URL: this.broker.url,
    };
  }

  async close(): Promise<void> {
    // Open invocations are cut off first, so that no connector waits for their answers.
    await this.gateway.stop();
    await Promise.all([...this.#connectors].map((connector) => connector.stop()));
    await closeClients();
    await this.broker.stop();
    await rm(this.dir, { recursive: true, force: true });
  }
}
