import { type ChildProcess, fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import { Stand } from './stand.ts';

const program = fileURLToPath(new URL('../../infra/connector/main.ts', import.meta.url));

describe('the connector as a program', () => {
  let stand: Stand;
  const children = new Set<ChildProcess>();
  afterEach(async () => {
    for (const child of children) child.kill('SIGKILL');
    children.clear();
    await stand.close();
  });

  /** Resolved when the program says that it is ready. */
  async function start(): Promise<ChildProcess> {
    const child = fork(program, { env: await stand.programEnvironment(), silent: true });
    children.add(child);
    const [message] = await once(child, 'message');
    expect(message).toEqual({ type: 'ready' });
    return child;
  }

  async function runOnce(flag: string): Promise<{ code: number | null; output: string }> {
    const child = spawn(process.execPath, [program, flag], { env: await stand.programEnvironment() });
    let output = '';
    child.stdout.on('data', (chunk: Buffer) => {
      output += chunk;
    });
    const [code] = await once(child, 'close');
    return { code, output };
  }

  it('killed between delivery and answer, it gets the event again', async () => {
    stand = await Stand.open({ f: { topic: 'aima/x' } });
    stand.gateway.respond = () => undefined;
    const first = await start();
    await stand.publish('aima/x', 'important');
    const before = await stand.gateway.invocation('f', 0);
    first.kill('SIGKILL');
    await once(first, 'exit');
    before.answer(200);
    stand.gateway.respond = () => 200;
    await start();
    const after = await stand.gateway.invocation('f', 1);
    expect([before.body, after.body]).toEqual(['important', 'important']);
  });

  it('leaves on SIGTERM with what it has answered acknowledged', async () => {
    stand = await Stand.open({ f: { topic: 'aima/x' } });
    const first = await start();
    await stand.publish('aima/x', 'one');
    await stand.gateway.invocation('f', 0);
    first.kill('SIGTERM');
    expect(await once(first, 'exit')).toEqual([0, null]);
    await start();
    await stand.publish('aima/x', 'two');
    await stand.gateway.invocation('f', 1);
    expect(stand.gateway.invocations.map((call) => call.body)).toEqual(['one', 'two']);
  });

  it('lists parked events and invokes their functions again', async () => {
    stand = await Stand.open({ f: { topic: 'aima/x' } });
    stand.gateway.respond = ({ body }) => (body === 'marker' ? 200 : 422);
    const connector = await stand.startConnector();
    await stand.publish('aima/x', 'one', 'two');
    await stand.gateway.invocation('f', 1);
    await stand.stopConnector(connector);

    const list = await runOnce('--list-parked');
    expect(list.output).toContain('2 parked');
    expect(list.output).toMatch(/f {2}aima\/x {2}status 422/);

    stand.gateway.respond = ({ body }) => (body === 'one' ? 200 : 422);
    expect(await runOnce('--redrive')).toMatchObject({
      code: 1,
      output: expect.stringContaining('1 accepted, 1 still parked'),
    });
    stand.gateway.respond = () => 200;
    expect(await runOnce('--redrive')).toMatchObject({ code: 0 });
    expect((await runOnce('--list-parked')).output).toContain('0 parked');
  });
});
