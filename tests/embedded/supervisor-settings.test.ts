import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { choosePorts } from '../../infra/embedded/ports.ts';
import { consoleText } from '../../infra/embedded/supervisor/console-line.ts';
import { openLogFile } from '../../infra/embedded/supervisor/log-file.ts';
import { ensureSecrets } from '../../infra/secrets/secrets.ts';

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'aima-settings-test-'));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

const anyPorts = Object.fromEntries(
  ['GATEWAY', 'S3', 'MQTT', 'MQTT_WS', 'POSTGRES'].map((name) => [`AIMA_${name}_PORT`, '0']),
);

describe('ports', () => {
  it('are all different where any will do', async () => {
    const ports = Object.values(await choosePorts(anyPorts));
    expect(new Set(ports).size).toBe(5);
    for (const port of ports) expect(port).toBeGreaterThan(0);
  });

  it('that are taken are named together with their variable', async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('no port');
    await expect(choosePorts({ ...anyPorts, AIMA_S3_PORT: String(address.port) })).rejects.toThrow(
      `port ${address.port} is in use by another program: stop that, or set AIMA_S3_PORT to another port`,
    );
    await new Promise((resolve) => server.close(resolve));
  });

  it.each(['70000', '-1', 'http', '1.5', ' '])('that are none (%j) are refused', async (port) => {
    await expect(choosePorts({ ...anyPorts, AIMA_MQTT_PORT: port })).rejects.toThrow(
      /AIMA_MQTT_PORT is ".*", but must/,
    );
  });

  it('that are given twice are refused', async () => {
    const { AIMA_S3_PORT } = await choosePorts(anyPorts);
    const twice = { ...anyPorts, AIMA_S3_PORT: String(AIMA_S3_PORT), AIMA_MQTT_PORT: String(AIMA_S3_PORT) };
    await expect(choosePorts(twice)).rejects.toThrow(/AIMA_MQTT_PORT .* another of our own/);
  });
});

describe('secrets', () => {
  it('are made once, privately, each another, and then kept', async () => {
    const secrets = await ensureSecrets(join(dir, 'secrets'));
    expect(secrets['owner-id']).toMatch(/^[0-9a-hjkmnp-tv-z]{6}$/);
    expect(secrets['basic-auth-user']).toBe('admin');
    expect(secrets['api-token']).toMatch(/^[\w-]{43}$/);
    expect(new Set(Object.values(secrets)).size).toBe(Object.keys(secrets).length);
    expect((await stat(join(dir, 'secrets'))).mode & 0o777).toBe(0o700);
    expect((await readdir(join(dir, 'secrets'))).toSorted()).toEqual(Object.keys(secrets).toSorted());
    for (const name of Object.keys(secrets)) {
      expect((await stat(join(dir, 'secrets', name))).mode & 0o777).toBe(0o600);
    }
    expect(await ensureSecrets(join(dir, 'secrets'))).toEqual(secrets);
  });

  it('that a person wrote are kept, without the line end, and made private', async () => {
    const path = join(dir, 'api-token');
    await writeFile(path, 'chosen by hand\n');
    await chmod(path, 0o644);
    expect((await ensureSecrets(dir))['api-token']).toBe('chosen by hand');
    expect((await stat(path)).mode & 0o777).toBe(0o600);
  });

  it('that are empty are refused', async () => {
    await writeFile(join(dir, 'webhook-secret'), '\n');
    await expect(ensureSecrets(dir)).rejects.toThrow(/webhook-secret is empty/);
  });
});

describe('logs', () => {
  it('keep two files of bounded size', async () => {
    const path = join(dir, 'logs', 'broker.log');
    for (const log of [openLogFile(path, 25), openLogFile(path, 25)]) {
      for (let line = 0; line < 5; line += 1) log.write(`line ${line}...`);
    }
    expect(await readFile(path, 'utf8')).toBe('line 4...\n');
    expect(await readFile(`${path}.1`, 'utf8')).toBe('line 2...\nline 3...\n');
    expect((await stat(path)).mode & 0o777).toBe(0o600);
  });

  it.each([
    ['broker', 'listening', 'stdout', undefined],
    ['broker', 'odd thing', 'stderr', 'odd thing'],
    ['functions', '{"level":"info","message":"invoked"}', 'stdout', undefined],
    ['functions', '{"level":"warn","message":"slow"}', 'stderr', 'slow'],
    ['functions', '{ no json', 'stdout', undefined],
    ['postgres', '2026-01-01 [7] LOG:  checkpoint starting', 'stderr', undefined],
    ['postgres', '2026-01-01 [7] PANIC:  disk is full', 'stderr', '2026-01-01 [7] PANIC:  disk is full'],
  ] as const)('of %s show in the terminal only what matters: %s', (name, line, stream, shown) => {
    expect(consoleText(name, line, stream, false)).toBe(shown);
    expect(consoleText(name, line, stream, true)).toBe(line);
  });
});
