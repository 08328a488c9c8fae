/** A gateway as people run it, a process of its own, with small functions in a temporary stack. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { stringify } from 'yaml';

export const MAIN = fileURLToPath(new URL('../../infra/embedded/gateway/main.ts', import.meta.url));
export const PASSWORD = 'open sesame';
export const BASIC = `Basic ${Buffer.from(`admin:${PASSWORD}`).toString('base64')}`;

export interface TestFunction {
  /** TypeScript of handler.ts; none for a function whose file is missing. */
  code?: string;
  definition?: Record<string, unknown>;
}

export interface TestStack {
  dir: string;
  environment: NodeJS.ProcessEnv;
  remove(): Promise<void>;
}

export async function writeStack(functions: Record<string, TestFunction>): Promise<TestStack> {
  const dir = await mkdtemp(path.join(tmpdir(), 'gateway-'));
  const stack: Record<string, unknown> = {};
  await mkdir(path.join(dir, 'secrets'));
  await writeFile(path.join(dir, 'package.json'), '{"type":"module"}');
  await writeFile(path.join(dir, 'secrets/basic-auth-user'), 'admin\n');
  await writeFile(path.join(dir, 'secrets/basic-auth-password'), `${PASSWORD}\n`);
  for (const [name, { code, definition }] of Object.entries(functions)) {
    stack[name] = { lang: 'node22', handler: `./${name}`, image: `test/${name}:1`, ...definition };
    if (code === undefined) continue;
    await mkdir(path.join(dir, name));
    await writeFile(path.join(dir, name, 'handler.ts'), code);
  }
  const file = path.join(dir, 'stack.yml');
  await writeFile(file, stringify({ version: 1, provider: { name: 'openfaas' }, functions: stack }));
  const environment = {
    ...process.env,
    AIMA_STACK_FILE: file,
    AIMA_SECRETS_DIR: path.join(dir, 'secrets'),
    AIMA_GATEWAY_PORT: '0',
  };
  return { dir, environment, remove: () => rm(dir, { recursive: true, force: true }) };
}

export interface GatewayProcess {
  url: string;
  child: ChildProcess;
  /** All that it has printed. */
  output(): string;
  stop(): Promise<void>;
}

export async function startGatewayProcess(functions: Record<string, TestFunction>): Promise<GatewayProcess> {
  const stack = await writeStack(functions);
  const child = fork(MAIN, { env: stack.environment, stdio: ['ignore', 'pipe', 'pipe', 'ipc'] });
  let printed = '';
  for (const stream of [child.stdout!, child.stderr!]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      printed += text;
    });
  }
  const exited = once(child, 'exit');
  const first = await Promise.race([once(child, 'message'), exited.then(() => null)]);
  if (first === null) throw new Error(`the gateway did not start:\n${printed}`);
  const { port } = first[0] as { port: number };
  return {
    url: `http://127.0.0.1:${port}`,
    child,
    output: () => printed,
    stop: async () => {
      child.kill('SIGTERM');
      await exited;
      await stack.remove();
    },
  };
}
