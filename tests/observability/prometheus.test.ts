/** The real Prometheus: it takes our rules, and it scrapes the running system and answers every query of ours. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { freePort } from '../../infra/embedded/ports.ts';
import { allHere, pathOf } from '../real/parts.ts';
import { type Stack, startStack } from '../stack/start-stack.ts';
import { observabilityDir, queries, rules } from './queries.ts';

const run = promisify(execFile);
const here = allHere('Prometheus with our figures and rules', 'promtool');
const target = 'targets: [127.0.0.1:8080]';

describe.skipIf(!here)('promtool', () => {
  const promtool = (...args: string[]) => run(pathOf('promtool'), args, { cwd: observabilityDir });

  it('takes the alert rules', async () => {
    const { stdout } = await promtool('check', 'rules', 'alerts.yml');
    expect(stdout).toContain(`SUCCESS: ${rules.length} rules found`);
  });

  it('finds that they fire when they should and not before', async () => {
    const { stdout } = await promtool('test', 'rules', 'alerts.test.yml');
    expect(stdout).toContain('SUCCESS');
  });
});

const Answer = z.object({
  status: z.literal('success'),
  data: z.object({
    result: z.array(
      z.object({ metric: z.record(z.string(), z.string()), value: z.tuple([z.number(), z.string()]) }),
    ),
  }),
});

describe.skipIf(!here)('Prometheus', () => {
  let stack: Stack;
  let folder: string;
  let prometheus: ChildProcess;
  let url: string;
  let output = '';

  beforeAll(async () => {
    const token = 'a-token-of-the-tests-for-prometheus';
    stack = await startStack({ secrets: { 'metrics-token': token } });
    folder = await mkdtemp(join(tmpdir(), 'aima-prometheus-'));
    await cp(join(observabilityDir, 'alerts.yml'), join(folder, 'alerts.yml'));
    await writeFile(join(folder, 'metrics-token'), `${token}\n`, { mode: 0o600 });
    const config = await readFile(join(observabilityDir, 'prometheus.yml'), 'utf8');
    expect(config).toContain(target);
    // As it is installed, but for the address, and faster.
    const faster = config
      .replace(target, `targets: [${new URL(stack.gatewayUrl).host}]`)
      .replaceAll(/_(interval|timeout): \d+s/g, '_$1: 1s');
    await writeFile(join(folder, 'prometheus.yml'), faster);
    const { stdout } = await run(pathOf('promtool'), ['check', 'config', join(folder, 'prometheus.yml')]);
    expect(stdout).toContain('SUCCESS');
    const port = await freePort();
    url = `http://127.0.0.1:${port}`;
    // Debian's package brings it beside promtool.
    prometheus = spawn(
      join(dirname(pathOf('promtool')), 'prometheus'),
      [
        `--config.file=${join(folder, 'prometheus.yml')}`,
        `--storage.tsdb.path=${join(folder, 'data')}`,
        `--web.listen-address=127.0.0.1:${port}`,
      ],
      { stdio: ['ignore', 'ignore', 'pipe'] },
    );
    prometheus.stderr!.on('data', (chunk: Buffer) => {
      output += chunk;
    });
  });
  afterAll(async () => {
    const gone = new Promise((resolve) => prometheus?.once('exit', resolve));
    if (prometheus?.kill()) await gone;
    await stack?.remove();
    if (folder) await rm(folder, { recursive: true, force: true });
  });

  async function ask(expr: string) {
    const response = await fetch(`${url}/api/v1/query?query=${encodeURIComponent(expr)}`);
    const body = await response.json();
    expect(response.status, `${expr}: ${JSON.stringify(body)}`).toBe(200);
    return Answer.parse(body).data.result;
  }

  /** Polls until there is a value. */
  async function numberOf(expr: string): Promise<number> {
    for (;;) {
      const result = await ask(expr).catch(() => []);
      if (result.length > 0) return Number(result[0]!.value[1]);
      expect(prometheus.exitCode, output).toBeNull();
      await sleep(100);
    }
  }

  it('scrapes the system with the token, through the gateway', async () => {
    expect(await numberOf('up{job="aima"} == 1')).toBe(1);
    expect(await numberOf('aima_database_size_bytes')).toBeGreaterThan(1e6);
    expect(await numberOf('aima_budget_dollars{period="day"}')).toBe(10);
    expect(await numberOf('aima_sweep_lag_seconds{sweep="leases"}')).toBeLessThan(150);
  });

  it('answers every query of the dashboard and of the rules', async () => {
    for (const { expr } of queries) await ask(expr);
    // What must have a value in every installation.
    for (const expr of [
      'sum(aima_leaks)',
      'sum(aima_instances_price_dollars_per_hour) or vector(0)',
      'sum by (state) (aima_jobs)',
    ])
      expect((await ask(expr)).length).toBeGreaterThan(0);
  });

  it('evaluates every rule, and nothing is wrong', async () => {
    const state = z.object({
      data: z.object({
        groups: z.array(
          z.object({ rules: z.array(z.object({ name: z.string(), health: z.string(), state: z.string() })) }),
        ),
      }),
    });
    const read = async () =>
      state
        .parse(await (await fetch(`${url}/api/v1/rules`)).json())
        .data.groups.flatMap((group) => group.rules);
    let found = await read();
    while (found.some(({ health }) => health === 'unknown')) {
      await sleep(100);
      found = await read();
    }
    expect(found.map(({ health }) => health)).toEqual(rules.map(() => 'ok'));
    // A machine's disk may be full while this runs; nothing else may be.
    expect(found.filter(({ name, state }) => state === 'firing' && !name.startsWith('AimaDisk'))).toEqual([]);
  });

  it('notices when the functions are gone', async () => {
    await stack.stop();
    expect(await numberOf('up{job="aima"} == 0')).toBe(0);
  });
});
