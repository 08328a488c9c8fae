/**
 * A fresh Debian becomes an AIMA server, by the installer and nothing else, and stays one: run twice, crashed,
 * switched off, destroyed and restored. Heavy: some minutes, 6 GB of disk, and Debian's and npm's packages.
 */

import { execFile } from 'node:child_process';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { address, type Machine, makeMachine } from './machine.ts';

const debian = process.env.AIMA_TEST_DEBIAN_TREE;
const store = process.env.AIMA_TEST_OBJECT_STORE;
const canRun = process.getuid?.() === 0 && debian !== undefined && store !== undefined;
if (!canRun)
  console.log(
    'the server is not installed: that needs root, systemd-nspawn, AIMA_TEST_DEBIAN_TREE (a tree by debootstrap with systemd, dbus and ca-certificates) and AIMA_TEST_OBJECT_STORE (the program of Silo or MinIO)',
  );

const project = fileURLToPath(new URL('../..', import.meta.url));
const minuteMs = 60_000;
const install = '/src/infra/vps/install';
const settings = [
  'AIMA_DOMAIN=aima.test',
  'AIMA_TLS=internal',
  'AIMA_OBJECT_STORE_BINARY=/usr/local/bin/object-store',
  'AIMA_PROVIDERS=local',
];
/** Rows of every table, a line each. */
const rows = `cd / && runuser -u postgres -- psql -XAtq aima <<'SQL'
select format('select %L, count(*) from %I.%I;', relname, nspname, relname) from pg_class
join pg_namespace n on n.oid = relnamespace where relkind = 'r' and nspname = 'public' order by 1 \\gexec
SQL`;

describe.skipIf(!canRun)('a server', () => {
  let machine: Machine;
  let source: string;
  let token: string;
  let jobId: string;

  /** curl as anybody would, from another machine, with the proxy's own authority. */
  async function curl(...args: string[]): Promise<string> {
    const names = ['aima.test:443', 's3.aima.test:443'].flatMap((name) => [
      '--resolve',
      `${name}:${address}`,
    ]);
    const authority = join(machine.tree, 'etc/aima/internal-authority.crt');
    const { output } = await machine.outside('curl', '-sS', '--cacert', authority, ...names, ...args);
    return output;
  }
  const api = (path: string, ...args: string[]) =>
    curl('-H', `Authorization: Bearer ${token}`, ...args, `https://aima.test/function/${path}`);

  async function healthy(): Promise<void> {
    let said = '';
    for (let tries = 0; tries < 60; tries += 1) {
      const { status, output } = await machine.bash('/opt/aima/current/infra/vps/programs/health --look');
      if (status === 0) return;
      said = output;
      await sleep(1_000);
    }
    throw new Error(`the server is not well: ${said}`);
  }

  /** @returns the job's id, once it succeeded. */
  async function analyse(): Promise<string> {
    const { jobs } = JSON.parse(
      await api(
        'submit-job',
        '-d',
        '{"name": "tone.wav", "analyses": ["metadata", "signals"], "reuse": false}',
      ),
    ) as { jobs: { jobId: string; upload: { url: string } }[] };
    const { jobId, upload } = jobs[0]!;
    await writeFile(join(source, '../tone.wav'), tone());
    await curl('-f', '-T', join(source, '../tone.wav'), upload.url);
    for (let tries = 0; tries < 120; tries += 1) {
      const { state } = JSON.parse(await api(`jobs/${jobId}`)) as { state: string };
      if (state === 'succeeded') return jobId;
      expect(state).not.toBe('failed');
      await sleep(1_000);
    }
    throw new Error('the job does not end');
  }

  beforeAll(async () => {
    // What is in the working tree, without what is built in it; other tests may be writing there.
    source = join(await mkdtemp(join(tmpdir(), 'aima-source-')), 'src');
    await cp(project, source, {
      recursive: true,
      filter: (path) => !/\/(node_modules|\.git|dist|data)(\/|$)/.test(path.slice(project.length - 1)),
    });
    machine = await makeMachine(debian!, source);
    await cp(store!, join(machine.tree, 'usr/local/bin/object-store'));
    await promisify(execFile)('mkdir', ['-p', join(machine.tree, 'etc/aima')]);
    await writeFile(join(machine.tree, 'etc/aima/aima.env'), `${settings.join('\n')}\n`);
    await cp(join(process.env.HOME!, '.npmrc'), join(machine.tree, 'root/.npmrc')).catch(() => {});
    await machine.prepare('update-ca-certificates');
    const certificates = '/etc/ssl/certs/ca-certificates.crt';
    // These need the network that the machine itself will not have.
    const fetched = await machine.prepare(
      ...['env', `npm_config_cafile=${certificates}`, `NODE_EXTRA_CA_CERTS=${certificates}`],
      ...[install, 'packages', 'folders', 'release', 'models'],
    );
    expect(fetched.status, fetched.output).toBe(0);
    await machine.boot();
  }, 20 * minuteMs);

  afterAll(async () => {
    await machine?.remove();
    await rm(join(source, '..'), { recursive: true, force: true });
  }, 2 * minuteMs);

  test(
    'is installed by one command, and a second run changes nothing',
    async () => {
      const first = await machine.bash(install);
      expect(first.status, first.output).toBe(0);
      expect(first.output).toContain('changed  made api-token');
      token = (await readFile(join(machine.tree, 'etc/aima/secrets/api-token'), 'utf8')).trim();
      expect(first.output).not.toContain(token);

      const second = await machine.bash(install);
      expect(second.status, second.output).toBe(0);
      expect(second.output.split('\n').filter((line) => line !== '' && !/^(ok {7}|== )/.test(line))).toEqual(
        [],
      );
    },
    10 * minuteMs,
  );

  test(
    'analyses a medium that comes through the public address',
    async () => {
      await healthy();
      jobId = await analyse();
      expect(JSON.parse(await api(`jobs/${jobId}/result`))).toMatchObject({ status: 'complete' });
    },
    5 * minuteMs,
  );

  test(
    'has no other ports open than those that are meant',
    async () => {
      const scan = `
import socket
from concurrent.futures import ThreadPoolExecutor
def is_open(port):
    with socket.socket() as s:
        s.settimeout(1)
        return s.connect_ex(('${address}', port)) == 0
ports = [*range(1, 1100), 1883, 2019, 4222, 5432, 8080, 8081, 8082, 8883, 9000, 9001, 9010, 9090, 9883]
with ThreadPoolExecutor(300) as pool: print([p for p, found in zip(ports, pool.map(is_open, ports)) if found])`;
      expect((await machine.outside('python3', '-c', scan)).output.trim()).toBe('[80, 443, 5432, 8883]');
    },
    2 * minuteMs,
  );

  test(
    'keeps its secrets out of command lines, environments, units and logs',
    async () => {
      const { output } = await machine.bash(`cd /etc/aima/secrets && for name in *; do
      [[ $(stat -c %s "$name") -gt 12 && $name != server-certificate ]] || continue
      grep -rlF -- "$(head -n 2 "$name" | tail -n 1)" /proc/[0-9]*/cmdline /proc/[0-9]*/environ /etc/systemd /etc/aima/*.env /run/log /var/log 2>/dev/null
    done; stat -c '%a %U' /etc/aima/secrets; find . -type f -perm /077`);
      expect(output.trim()).toBe('700 root');
    },
    minuteMs,
  );

  test.each(['mosquitto', 'aima-objects', 'aima-gateway', 'aima-connector', 'caddy', 'postgresql@*-main'])(
    '%s comes back after kill -9',
    async (unit) => {
      const { status, output } = await machine.bash(`
        unit=$(systemctl list-units --plain --no-legend '${unit}.service' | cut -d' ' -f1)
        before=$(systemctl show -p MainPID --value "$unit") && kill -9 "$before"
        for _ in {1..300}; do
          now=$(systemctl show -p MainPID --value "$unit")
          [[ $(systemctl is-active "$unit") == active && $now != 0 && $now != "$before" ]] && exit 0
          sleep 0.2
        done
        exit 1`);
      expect(status, output).toBe(0);
    },
    2 * minuteMs,
  );

  test(
    'what hangs is restarted by the second look',
    async () => {
      await healthy();
      const { output } = await machine.bash(`systemctl stop aima-health.timer
      pid=$(systemctl show -p MainPID --value mosquitto) && kill -STOP "$pid"
      systemctl start aima-health && systemctl start aima-health
      [[ $(systemctl show -p MainPID --value mosquitto) != "$pid" ]] && echo another
      systemctl start aima-health.timer`);
      expect(output.trim()).toBe('another');
    },
    3 * minuteMs,
  );

  test(
    'is whole again after it was switched off and on',
    async () => {
      await machine.powerOff();
      await machine.boot();
      await healthy();
      expect((await machine.bash('nft list tables')).output).toContain('table inet aima');
      await analyse();
    },
    5 * minuteMs,
  );

  test(
    'goes to another version, and back only where it is known that the schema stays',
    async () => {
      await writeFile(
        join(source, 'infra/postgres/migrations/9999_newer.sql'),
        'create table newer (n integer);\n',
      );
      const before = (await machine.bash('readlink -f /opt/aima/current')).output;
      const upgraded = await machine.bash('/opt/aima/current/infra/vps/upgrade /src');
      expect(upgraded.status, upgraded.output).toBe(0);
      expect((await machine.bash('readlink -f /opt/aima/current')).output).not.toBe(before);
      const refused = await machine.bash('/opt/aima/current/infra/vps/rollback');
      expect(refused.status).not.toBe(0);
      expect(refused.output).toContain('the schema stays at 9999_newer.sql');
      const back = await machine.bash('/opt/aima/current/infra/vps/rollback --keep-schema');
      expect(back.status, back.output).toBe(0);
      expect((await machine.bash('readlink -f /opt/aima/current')).output).toBe(before);
    },
    10 * minuteMs,
  );

  test(
    'is restored from last night after its database and secrets were destroyed',
    async () => {
      await healthy();
      const result = await api(`jobs/${jobId}/result`);
      await machine.bash('systemctl stop aima-health.timer aima-connector aima-gateway');
      await machine.bash('systemctl start aima-backup');
      const kept = (await machine.bash(rows)).output;
      const file = (await machine.bash('ls -t /var/backups/aima/aima-*.tar | head -1')).output.trim();

      const checked = await machine.bash(`/opt/aima/current/infra/vps/restore --check ${file} 2>/dev/null`);
      expect(checked.output).toBe(kept);

      await machine.bash(`cd / && runuser -u postgres -- psql -qc 'drop database aima with (force)'
      rm /etc/aima/secrets/{owner-id,lease-key,database-password}`);
      const restored = await machine.bash(`/opt/aima/current/infra/vps/restore ${file}`);
      expect(restored.status, restored.output).toBe(0);
      expect(restored.output).toMatch(/all \d+ objects of that night are in the bucket/);
      // Sweeps may have added to what was there; nothing of it is missing.
      const counts = (text: string) =>
        new Map([...text.matchAll(/^(\w+)\|(\d+)$/gm)].map(([, table, n]) => [table!, Number(n)]));
      const now = counts((await machine.bash(rows)).output);
      expect(counts(kept).size).toBeGreaterThan(30);
      for (const table of ['jobs', 'results', 'instances', 'attempts', 'users'].filter((name) =>
        counts(kept).has(name),
      ))
        expect(now.get(table), table).toBe(counts(kept).get(table));
      await healthy();
      expect(await api(`jobs/${jobId}/result`)).toBe(result);
      await analyse();
    },
    10 * minuteMs,
  );
});

/** Two seconds of 440 Hz, 16 kHz, mono. */
function tone(): Buffer {
  const samples = 32_000;
  const wav = Buffer.alloc(44 + 2 * samples);
  wav.write('RIFF', 0);
  wav.writeUInt32LE(36 + 2 * samples, 4);
  wav.write('WAVEfmt ', 8);
  wav.writeUInt32LE(16, 16);
  wav.writeUInt16LE(1, 20);
  wav.writeUInt16LE(1, 22);
  wav.writeUInt32LE(16_000, 24);
  wav.writeUInt32LE(32_000, 28);
  wav.writeUInt16LE(2, 32);
  wav.writeUInt16LE(16, 34);
  wav.write('data', 36);
  wav.writeUInt32LE(2 * samples, 40);
  for (let n = 0; n < samples; n += 1)
    wav.writeInt16LE(Math.round(8_000 * Math.sin((2 * Math.PI * 440 * n) / 16_000)), 44 + 2 * n);
  return wav;
}
