import { fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { MAIN, startGatewayProcess, type TestStack, writeStack } from './gateway-process.ts';

/** Runs the gateway where it cannot start, and gives what it says. */
async function refusal(stack: TestStack, environment: NodeJS.ProcessEnv = {}) {
  const child = spawn(process.execPath, [MAIN], { env: { ...stack.environment, ...environment } });
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const [code] = (await once(child, 'close')) as [number];
  await stack.remove();
  return { code, stderr };
}

const FUNCTIONS = { hello: { code: 'export default () => "hello";' } };

describe('the process', () => {
  test('says where it is ready, and which functions it lacks', async () => {
    const gateway = await startGatewayProcess({ ...FUNCTIONS, missing: {} });
    expect(gateway.output()).toContain(`gateway: ready at ${gateway.url}, without missing`);
    await gateway.stop();
    expect(gateway.child.exitCode).toBe(0);
  });

  test('finishes the call under way before it ends', async () => {
    const gateway = await startGatewayProcess({
      slow: {
        code: 'export default () => { process.send("called"); return new Promise((done) => setTimeout(done, 200, "done")); };',
      },
    });
    const answer = fetch(`${gateway.url}/function/slow`).then((response) => response.text());
    await once(gateway.child, 'message');
    await gateway.stop();
    expect(await answer).toBe('done');
    expect(gateway.child.exitCode).toBe(0);
  });

  test('ends when its supervisor is gone', async () => {
    const stack = await writeStack(FUNCTIONS);
    const child = fork(MAIN, { env: stack.environment, stdio: ['ignore', 'ignore', 'ignore', 'ipc'] });
    await once(child, 'message');
    child.disconnect();
    expect(await once(child, 'exit')).toEqual([0, null]);
    await stack.remove();
  });
});

describe('what it cannot start with is said in a sentence', () => {
  test('a port that is taken', async () => {
    const blocker = createServer().listen(0, '127.0.0.1');
    await once(blocker, 'listening');
    const { port } = blocker.address() as { port: number };
    const { code, stderr } = await refusal(await writeStack(FUNCTIONS), { AIMA_GATEWAY_PORT: String(port) });
    blocker.close();
    expect(code).toBe(1);
    expect(stderr).toMatch(/^gateway: cannot start: .*EADDRINUSE/);
  });

  test('no secrets', async () => {
    const stack = await writeStack(FUNCTIONS);
    await rm(path.join(stack.dir, 'secrets/basic-auth-password'));
    const { code, stderr } = await refusal(stack);
    expect(code).toBe(1);
    expect(stderr).toContain('basic-auth-password');
  });

  test('an environment that is wrong', async () => {
    const { code, stderr } = await refusal(await writeStack(FUNCTIONS), { AIMA_GATEWAY_PORT: 'eighty' });
    expect(code).toBe(1);
    expect(stderr).toContain('AIMA_GATEWAY_PORT');
  });

  test('a stack file that is none', async () => {
    const stack = await writeStack(FUNCTIONS);
    await writeFile(path.join(stack.dir, 'stack.yml'), 'functions: [1]\n');
    const { code, stderr } = await refusal(stack);
    expect(code).toBe(1);
    expect(stderr).toContain('is not a stack file');
  });
});
