/** The real Caddy with our Caddyfile, without TLS, on a free port. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { request } from 'node:http';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const caddyfile = fileURLToPath(new URL('../../infra/proxy/Caddyfile', import.meta.url));

export const hasCaddy = spawnSync('caddy', ['version']).status === 0;

export interface Asked {
  host?: string;
  method?: string;
  headers?: Record<string, string>;
  body?: Buffer;
}

export interface Answer {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  text: string;
}

export interface ReverseProxy {
  port: number;
  /** `path` goes out as it is written, with all its dots. */
  ask(path: string, asked?: Asked): Promise<Answer>;
  stop(): Promise<void>;
}

/** @param upstreams host:port of each */
export async function startProxy(upstreams: {
  gateway: string;
  objects: string;
  broker: string;
}): Promise<ReverseProxy> {
  const port = await freePort();
  const home = await mkdtemp(join(tmpdir(), 'caddy-'));
  const child = spawn('caddy', ['run', '--adapter', 'caddyfile', '--config', caddyfile], {
    env: {
      PATH: process.env.PATH,
      HOME: home,
      AIMA_DOMAIN: `http://aima.test:${port}`,
      AIMA_S3_HOST: `http://s3.aima.test:${port}`,
      AIMA_GATEWAY_UPSTREAM: upstreams.gateway,
      AIMA_S3_UPSTREAM: upstreams.objects,
      AIMA_MQTT_WS_UPSTREAM: upstreams.broker,
    },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const exited = once(child, 'exit');
  let printed = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    printed += text;
  });
  const ask = (path: string, asked: Asked = {}) => send(port, path, asked);
  for (let tries = 0; ; tries += 1) {
    const isUp = await ask('/').then(
      () => true,
      () => false,
    );
    if (isUp) break;
    if (child.exitCode !== null || tries === 200) throw new Error(`Caddy did not start:\n${printed}`);
    await sleep(50);
  }
  return {
    port,
    ask,
    async stop() {
      child.kill();
      await exited;
      await rm(home, { recursive: true, force: true });
    },
  };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  return port;
}

function send(port: number, path: string, asked: Asked): Promise<Answer> {
  const { host = 'aima.test', method = 'GET', headers = {}, body } = asked;
  return new Promise((resolve, reject) => {
    const call = request(
      { host: '127.0.0.1', port, path, method, headers: { host: `${host}:${port}`, ...headers } },
      async (response) => {
        let text = '';
        for await (const chunk of response.setEncoding('utf8')) text += chunk;
        resolve({ status: response.statusCode!, headers: response.headers, text });
      },
    );
    call.once('error', reject);
    call.end(body);
  });
}
