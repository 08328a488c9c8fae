/** What infra/compose/docker-compose.yaml promises, read from the file, and its form, by compose itself. */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { composeDir, composeText, exampleEnvironment, readComposeFile } from './compose-file.ts';

const environment = exampleEnvironment();
const { services } = readComposeFile(environment);
const entries = Object.entries(services);
const where = (fits: (service: (typeof entries)[number][1]) => boolean) =>
  entries.filter(([, service]) => fits(service)).map(([name]) => name);

describe('docker-compose.yaml', () => {
  test('every variable stands in .env.example, and no secret does', () => {
    const local = readFileSync(path.join(composeDir, 'docker-compose.local.yaml'), 'utf8');
    const used = [...`${composeText()}${local}`.matchAll(/\$\{(\w+)/g)].map(([, name]) => name!);
    expect(used.length).toBeGreaterThan(5);
    expect(used.filter((name) => !(name in environment))).toEqual([]);
    expect(Object.keys(environment).filter((name) => /PASSWORD|SECRET|TOKEN|KEY/.test(name))).toEqual([]);
  });

  test('defaults in the file are those of .env.example', () => {
    const required = { AIMA_PUBLIC_HOST: environment.AIMA_PUBLIC_HOST! };
    const { gateway: _gateway, ...others } = readComposeFile(required).services;
    expect(others).toEqual(Object.fromEntries(entries.filter(([name]) => name !== 'gateway')));
  });

  test('third-party images are pinned by tag and digest, ours by version', () => {
    const ours = `${environment.AIMA_IMAGE}:${environment.AIMA_VERSION}`;
    const unpinned = where(
      ({ image }) => image !== ours && !/^[\w./-]+:[\w.-]*\d[\w.-]*@sha256:[0-9a-f]{64}$/.test(image),
    );
    expect(unpinned).toEqual([]);
    const { version } = JSON.parse(readFileSync(path.join(composeDir, '../../package.json'), 'utf8'));
    expect(environment.AIMA_VERSION).toBe(version);
  });

  test('only the secrets are handed out by root, without a network', () => {
    expect(where(({ user }) => !/^[1-9]\d*:[1-9]\d*$/.test(user))).toEqual(['secrets']);
    expect(services.secrets).toMatchObject({ user: '0:0', network_mode: 'none' });
  });

  test('nobody may write where no volume is, or gain rights', () => {
    const harmless = where(
      ({ read_only, cap_drop, security_opt }) =>
        read_only && cap_drop.includes('ALL') && security_opt.includes('no-new-privileges:true'),
    );
    expect(harmless).toEqual(Object.keys(services));
    expect(where(({ cap_add }) => cap_add.length > 0)).toEqual(['secrets', 'proxy']);
  });

  test('only 443, 5432 and 8883 are published', () => {
    const published = entries.flatMap(([, { ports }]) => ports.map((port) => port.split(':')[0]));
    expect(published.toSorted()).toEqual(['443', '5432', '8883']);
  });

  test('what stays on is started again and has limits; what ends is not', () => {
    const stays = where(({ restart }) => restart === 'unless-stopped');
    expect(stays).toEqual(['postgres', 'mosquitto', 's3', 'gateway', 'connector', 'proxy']);
    const ends = where(({ restart }) => restart === 'no');
    expect(ends).toEqual(['secrets', 'database', 'broker-logins', 'bucket']);
    // All of it fits the reference server of 8 GB beside the page cache.
    const megabytes = stays.map((name) => inMegabytes(services[name]!.mem_limit));
    expect(megabytes.reduce((sum, one) => sum + one, 0)).toBeLessThan(5_000);
  });

  test('what others wait for can say that it is ready', () => {
    for (const [name, { depends_on }] of entries) {
      for (const [needed, { condition }] of Object.entries(depends_on)) {
        const { restart, healthcheck } = services[needed]!;
        const ends = restart === 'no';
        expect([name, needed, condition]).toEqual([
          name,
          needed,
          ends ? 'service_completed_successfully' : 'service_healthy',
        ]);
        if (!ends) expect([needed, healthcheck?.disable ?? false]).toEqual([needed, false]);
      }
    }
  });

  test('events and addresses are the ones that the programs know', () => {
    const { s3, gateway } = services;
    // As stack.yml has it in submit-job's topics, and bucket.mjs in its ARN.
    expect(s3!.environment.MINIO_NOTIFY_MQTT_TOPIC_AIMA).toBe('aima/media/uploaded');
    expect(s3!.environment.MINIO_NOTIFY_MQTT_ENABLE_AIMA).toBe('on');
    for (const variable of ['AIMA_DATABASE_URL', 'AIMA_MQTT_URL', 'AIMA_S3_ENDPOINT']) {
      const { hostname } = new URL(gateway!.environment[variable]!);
      expect([variable, hostname in services]).toEqual([variable, true]);
    }
  });
});

function inMegabytes(limit: string): number {
  const [, count, unit] = /^(\d+)([mg])$/.exec(limit)!;
  return Number(count) * (unit === 'g' ? 1024 : 1);
}

/** Each checks by its own schema: the old one in Python, and the one in Go that is Docker's today. */
const tools = [
  ['docker-compose', []],
  ['docker', ['compose']],
] as const;

for (const [program, first] of tools) {
  const name = [program, ...first].join(' ');
  const found = spawnSync(program, [...first, 'version']).status === 0;
  if (!found) console.log(`${name} config skipped: no ${name} here.`);
  test.skipIf(!found)(`${name} config takes the file`, () => {
    const dir = mkdtempSync(path.join(tmpdir(), 'aima-compose-config-'));
    try {
      cpSync(composeDir, dir, { recursive: true });
      cpSync(path.join(dir, '.env.example'), path.join(dir, '.env'));
      for (const files of [[], ['-f', 'docker-compose.yaml', '-f', 'docker-compose.local.yaml']]) {
        const ran = spawnSync(program, [...first, ...files, 'config', '-q'], { cwd: dir, encoding: 'utf8' });
        expect(ran).toMatchObject({ status: 0, stdout: '' });
      }
    } finally {
      rmSync(dir, { recursive: true });
    }
  });
}
