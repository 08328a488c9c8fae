import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type GatewayProcess, PASSWORD, startGatewayProcess } from './gateway-process.ts';

/** A path in FAAS_CLI, or faas-cli on the PATH. */
const FAAS_CLI = process.env.FAAS_CLI ?? 'faas-cli';

interface Ran {
  code: number;
  output: string;
}

let home: string;
function faas(args: string[], stdin = ''): Promise<Ran> {
  return new Promise((resolve) => {
    const env = { ...process.env, HOME: home, OPENFAAS_URL: gateway?.url ?? '' };
    // In the empty home: beside a stack.yml it would read that one.
    const child = execFile(FAAS_CLI, args, { cwd: home, env }, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === 'number' ? error.code : -1;
      resolve({ code, output: stdout + stderr });
    });
    child.stdin?.on('error', () => {});
    child.stdin?.end(stdin);
  });
}

let gateway: GatewayProcess | null = null;

const present = await new Promise<boolean>((resolve) => {
  execFile(FAAS_CLI, ['version', '--short-version', '--warn-update=false'], (error) =>
    resolve(error === null),
  );
});
if (!present) console.log('faas-cli tests skipped: no faas-cli on the PATH, nor in FAAS_CLI.');

describe.skipIf(!present)('faas-cli', () => {
  beforeAll(async () => {
    home = await mkdtemp(path.join(tmpdir(), 'faas-cli-'));
    gateway = await startGatewayProcess({
      hello: {
        code: `
export default (event, context) => {
  console.log('greeting ' + event.body.toString());
  return event.path === '/fail' ? context.status(422).succeed('no') :
    context.headers({ 'content-type': 'text/plain' }).succeed('hello ' + event.body + ' ' + JSON.stringify(event.query));
};`,
        definition: { annotations: { topic: 'aima/jobs/queued' } },
      },
    });
    const { code } = await faas(['login', '--username', 'admin', '--password-stdin'], PASSWORD);
    expect(code).toBe(0);
  });
  afterAll(async () => {
    await gateway?.stop();
    await rm(home, { recursive: true, force: true });
  });

  test('login with a wrong password is refused', async () => {
    const login = ['login', '--username', 'admin', '--password-stdin', '--gateway', `${gateway!.url}/`];
    expect((await faas(login, 'wrong')).output).toContain('incorrect');
  });

  test('list, describe', async () => {
    expect((await faas(['list'])).output).toMatch(/^hello\s+\d+\s+1\s*$/m);
    const { output } = await faas(['describe', 'hello']);
    expect(output).toMatch(/Status:\s+Ready/);
    expect(output).toContain('topic: aima/jobs/queued');
    expect((await faas(['describe', 'nope'])).code).not.toBe(0);
  });

  test('invoke', async () => {
    const ran = await faas(['invoke', 'hello', '--query', 'a=1', '--query', 'b=2'], 'world');
    expect(ran).toEqual({ code: 0, output: 'hello world {"a":"1","b":"2"}' });
  });

  test('invoke --async, logs', async () => {
    const ran = await faas(['invoke', '--async', 'hello'], 'later');
    expect(ran).toMatchObject({ code: 0, output: expect.stringContaining('submitted asynchronously') });
    let output = '';
    while (!output.includes('greeting later'))
      output = (await faas(['logs', 'hello', '--tail=false'])).output;
    expect(output).toMatch(/POST \/ - 200 OK/);
  });

  test('namespaces, version, secret list', async () => {
    expect((await faas(['namespaces'])).output).toContain('openfaas-fn');
    expect((await faas(['version', '--warn-update=false'])).output).toContain('aima-embedded');
    expect((await faas(['secret', 'list'])).output).toContain('basic-auth-user');
  });

  test('deploy and remove say why not', async () => {
    const deployed = await faas(['deploy', '--image', 'x/y', '--name', 'y']);
    expect(deployed.output).toContain('stack.yml');
    expect((await faas(['remove', 'hello'])).output).toContain('stack.yml');
    expect((await faas(['list'])).output).toContain('hello');
  });

  test('reads the stack.yml of this project', async () => {
    const file = new URL('../../stack.yml', import.meta.url).pathname;
    const { code, output } = await faas(['generate', '--api=openfaas.com/v1', '-f', file]);
    expect(code).toBe(0);
    expect(output.match(/^ {4}RAW_BODY: "true"$/gm)).toHaveLength(5);
  });
});
