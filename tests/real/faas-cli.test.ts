import { execFile } from 'node:child_process';
import { access, copyFile, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type GatewayProcess, PASSWORD, startGatewayProcess } from '../gateway/gateway-process.ts';
import { buildDist } from './built.ts';
import { templateServer } from './function-process.ts';
import { allHere, pathOf } from './parts.ts';

const here = allHere('faas-cli with our gateway', 'faas-cli');

interface Ran {
  code: number;
  output: string;
}

let home: string;
/** In the empty home unless told otherwise: beside a stack.yml it would read that one. */
function faas(args: string[], stdin = '', cwd = home): Promise<Ran> {
  return new Promise((resolve) => {
    const env = { ...process.env, HOME: home, OPENFAAS_URL: gateway?.url ?? '' };
    const child = execFile(pathOf('faas-cli'), args, { cwd, env }, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === 'number' ? error.code : -1;
      resolve({ code, output: stdout + stderr });
    });
    child.stdin?.on('error', () => {});
    child.stdin?.end(stdin);
  });
}

let gateway: GatewayProcess | null = null;

describe.skipIf(!here)('faas-cli', () => {
  beforeAll(async () => {
    home = await mkdtemp(join(tmpdir(), 'faas-cli-'));
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
    // Older versions put a space before the colon.
    expect(output).toMatch(/topic\s*: aima\/jobs\/queued/);
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

  test('makes build contexts of what npm run build made', async () => {
    const dist = await buildDist();
    try {
      const file = join(dist.dir, 'stack.yml');
      const generated = await faas(['generate', '--api=openfaas.com/v1', '-f', file]);
      expect(generated.code, generated.output).toBe(0);
      expect(generated.output.match(/^ {4}RAW_BODY: "true"$/gm)).toHaveLength(5);

      // A template in the folder goes before the official one, which would be fetched.
      const language = /lang: (\S+)/.exec(await readFile(file, 'utf8'))![1]!;
      const template = join(dist.dir, 'template', language);
      await mkdir(join(template, 'function'), { recursive: true });
      await writeFile(join(template, 'template.yml'), 'language: node22\nfprocess: node index.cjs\n');
      await writeFile(join(template, 'Dockerfile'), 'FROM scratch\n');
      await copyFile(templateServer, join(template, 'index.cjs'));
      const built = await faas(['build', '--shrinkwrap', '-f', file], '', dist.dir);
      expect(built.code, built.output).toBe(0);
      const functions = await readdir(join(dist.dir, 'functions'));
      expect((await readdir(join(dist.dir, 'build'))).toSorted()).toEqual(functions.toSorted());
      for (const name of functions) {
        const context = join(dist.dir, 'build', name);
        await access(join(context, 'index.cjs'));
        expect(await readdir(join(context, 'function'))).toEqual(await readdir(dist.functionDir(name)));
      }
    } finally {
      await dist.remove();
    }
  });
});
