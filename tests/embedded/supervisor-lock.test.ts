import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AlreadyRunningError, acquireLock, readLock } from '../../infra/embedded/supervisor/lock.ts';
import { identify, isAlive, type ProcessIdentity } from '../../infra/embedded/supervisor/processes.ts';

let dataDir: string;
let leftovers: ProcessIdentity[];

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'aima-lock-test-'));
  leftovers = [];
});

afterEach(async () => {
  for (const identity of leftovers) if (await isAlive(identity)) process.kill(identity.pid, 'SIGKILL');
  await rm(dataDir, { recursive: true, force: true });
});

const STUBBORN = `process.on('SIGINT', () => {}); setInterval(() => {}, 1000); console.log('up')`;
const WILLING = `setInterval(() => {}, 1000); console.log('up')`;

/** A supervisor in another process, with one child. */
async function host(childSource: string): Promise<{ process: ChildProcess; child: ProcessIdentity }> {
  const it = spawn(process.execPath, [join(import.meta.dirname, 'lock-host.ts'), dataDir, childSource], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const pid = await new Promise<string>((resolve) =>
    createInterface({ input: it.stdout }).once('line', resolve),
  );
  const [own, child] = [await identify(it.pid!), await identify(Number(pid))];
  leftovers.push(own!, child!);
  return { process: it, child: child! };
}

async function kill(it: ChildProcess): Promise<void> {
  const gone = new Promise((resolve) => it.once('exit', resolve));
  it.kill('SIGKILL');
  await gone;
}

describe('the lock of a data folder', () => {
  it('refuses a second supervisor and says where the first one is', async () => {
    const first = await host(WILLING);
    const refused = await acquireLock(dataDir).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(AlreadyRunningError);
    expect(refused).toMatchObject({
      pid: first.process.pid,
      message: `it runs already, as process ${first.process.pid}, on the data folder ${dataDir}`,
      addresses: { gateway: 'http://127.0.0.1:8080' },
    });
    expect(await isAlive(first.child)).toBe(true);
  });

  it('is taken over after kill -9, and the children left behind are ended', async () => {
    const first = await host(WILLING);
    await kill(first.process);
    expect(await isAlive(first.child)).toBe(true);
    const lock = await acquireLock(dataDir);
    expect(await isAlive(first.child)).toBe(false);
    expect((await readLock(dataDir))?.supervisor).toEqual(await identify(process.pid));
    await lock.release();
    expect(await readdir(dataDir)).toEqual([]);
  });

  it('ends a child left behind by force when it does not end when asked', async () => {
    const first = await host(STUBBORN);
    await kill(first.process);
    const lock = await acquireLock(dataDir, { endTimeoutMs: 200 });
    expect(await isAlive(first.child)).toBe(false);
    await lock.release();
  });

  it('harms no stranger who has the number of a former supervisor or child', async () => {
    const stranger = await host(WILLING);
    const stale = await readFile(join(dataDir, 'supervisor.1.json'), 'utf8');
    await writeFile(
      join(dataDir, 'supervisor.1.json'),
      stale.replaceAll(/"start": "[^"]*"/g, '"start": "earlier"'),
    );
    const lock = await acquireLock(dataDir);
    expect(await isAlive(stranger.child)).toBe(true);
    await lock.release();
  });

  it('goes to one of several that start at once, after a crash too', async () => {
    await kill((await host(WILLING)).process);
    const results = await Promise.allSettled([1, 2, 3].map(() => acquireLock(dataDir)));
    expect(results.map((result) => result.status).toSorted()).toEqual(['fulfilled', 'rejected', 'rejected']);
  });

  it('counts a file that was cut off as stale', async () => {
    await writeFile(join(dataDir, 'supervisor.7.json'), '{"superv');
    const lock = await acquireLock(dataDir);
    await lock.release();
  });

  it('stays released: what is noted late does not bring it back', async () => {
    const lock = await acquireLock(dataDir);
    const noted = lock.noteChild('late', process.pid);
    await lock.release();
    await noted;
    expect(await readdir(dataDir)).toEqual([]);
  });
});
