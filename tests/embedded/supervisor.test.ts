import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type NodeServiceOptions, nodeService } from '../../infra/embedded/supervisor/node-service.ts';
import { identify, isAlive, waitUntilGone } from '../../infra/embedded/supervisor/processes.ts';
import {
  restartDelayMs,
  type Service,
  type Supervisor,
  type SupervisorEvent,
  supervise,
} from '../../infra/embedded/supervisor.ts';

/** Real child programs, each a few lines; they note what happens to them in the file given as argument. */
const PROGRAMS = {
  good: `process.on('SIGTERM', () => { note('stopped'); process.exit(0); });
    note('started'); setInterval(() => {}, 1000); process.send({ type: 'ready' });`,
  deaf: `process.on('SIGTERM', () => note('asked')); setInterval(() => {}, 1000); process.send({ type: 'ready' });`,
  mute: `setInterval(() => {}, 1000);`,
  broken: `console.error('no such thing'); process.exit(3);`,
  chatty: `console.log('to stdout'); console.error('to stderr'); process.send({ type: 'ready' }); setInterval(() => {}, 1000);`,
};

let dir: string;
let events: SupervisorEvent[];
let waiting: { match: (event: SupervisorEvent) => boolean; resolve: (event: SupervisorEvent) => void }[];
let supervisors: Supervisor[];

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'aima-supervisor-test-'));
  events = [];
  waiting = [];
  supervisors = [];
});

afterEach(async () => {
  await Promise.all(supervisors.map((supervisor) => supervisor.stop()));
  await rm(dir, { recursive: true, force: true });
});

async function service(
  name: string,
  source: keyof typeof PROGRAMS,
  options: Partial<NodeServiceOptions> = {},
): Promise<Service> {
  const script = join(dir, `${name}.mjs`);
  await writeFile(
    script,
    `import { appendFileSync } from 'node:fs';
     const note = (what) => appendFileSync(${JSON.stringify(join(dir, 'notes'))}, '${name} ' + what + '\\n');
     ${PROGRAMS[source]}`,
  );
  return nodeService({ name, script, env: process.env, log: () => undefined, ...options });
}

const notes = async () => (await readFile(join(dir, 'notes'), 'utf8')).trim().split('\n');

function run(services: Service[], delayMs: (failures: number) => number = () => 1): Supervisor {
  const supervisor = supervise(services, {
    delayMs,
    onEvent(event) {
      events.push(event);
      waiting = waiting.filter(({ match, resolve }) => {
        if (match(event)) resolve(event);
        return !match(event);
      });
    },
  });
  supervisors.push(supervisor);
  return supervisor;
}

const next = (match: (event: SupervisorEvent) => boolean) =>
  new Promise<SupervisorEvent>((resolve) => waiting.push({ match, resolve }));

function pidOf(name: string): number {
  const ready = events.findLast((event) => event.type === 'ready' && event.name === name);
  if (ready?.type !== 'ready') throw new Error(`${name} was never ready`);
  return ready.pid;
}

describe('supervise', () => {
  it('starts in order, each after the one before is ready, and stops in reverse', async () => {
    const supervisor = run([await service('one', 'good'), await service('two', 'good')]);
    await supervisor.ready;
    expect(events.map((event) => `${event.type} ${event.name}`)).toEqual([
      'starting one',
      'ready one',
      'starting two',
      'ready two',
    ]);
    await supervisor.stop();
    expect(await notes()).toEqual(['one started', 'two started', 'two stopped', 'one stopped']);
  });

  it('starts a service again that died, and leaves the others alone', async () => {
    const supervisor = run([await service('one', 'good'), await service('two', 'good')]);
    await supervisor.ready;
    const [onePid, twoPid] = [pidOf('one'), pidOf('two')];
    const ready = next((event) => event.type === 'ready');
    process.kill(onePid, 'SIGKILL');
    expect(await ready).toMatchObject({ name: 'one' });
    expect(events).toContainEqual({
      type: 'ended',
      name: 'one',
      reason: 'killed by SIGKILL',
      restartInMs: 1,
    });
    expect(pidOf('one')).not.toBe(onePid);
    expect(await identify(twoPid)).toBeDefined();
  });

  it('waits longer with each failure in a row', async () => {
    expect([1, 2, 3, 8, 100].map(restartDelayMs)).toEqual([250, 500, 1000, 30_000, 30_000]);
    const failures: number[] = [];
    const supervisor = run([await service('one', 'good')], (count) => {
      failures.push(count);
      return 1;
    });
    await supervisor.ready;
    await service('one', 'broken'); // the file is replaced: from now on it cannot start
    const third = next(() => failures.length === 3);
    process.kill(pidOf('one'), 'SIGKILL');
    await third;
    expect(failures).toEqual([1, 2, 3]);
  });

  it('fails as a whole when a service does not come up, says why, and stops the rest', async () => {
    const supervisor = run([await service('one', 'good'), await service('two', 'broken')]);
    await expect(supervisor.ready).rejects.toThrow(
      /two does not start: it ended \(exit code 3\):\n {2}no such thing/,
    );
    expect(await notes()).toEqual(['one started', 'one stopped']);
  });

  it('gives up on a service that never says it is ready', async () => {
    const supervisor = run([await service('one', 'mute', { readyTimeoutMs: 300 })]);
    await expect(supervisor.ready).rejects.toThrow(/one does not start: it is not ready after 0.3 s/);
  });

  it('kills a service that does not end when asked', async () => {
    const supervisor = run([await service('one', 'deaf', { stopTimeoutMs: 300 })]);
    await supervisor.ready;
    const identity = await identify(pidOf('one'));
    await supervisor.stop();
    expect(await notes()).toEqual(['one asked']);
    expect(await isAlive(identity!)).toBe(false);
  });

  it('can be stopped while it starts and while it waits to start again', async () => {
    const starting = run([await service('one', 'mute', { stopTimeoutMs: 300 })]);
    await starting.stop();
    await expect(starting.ready).rejects.toThrow('stopped while starting');

    const pausing = run([await service('two', 'good')], () => 3_600_000);
    await pausing.ready;
    const ended = next((event) => event.type === 'ended');
    process.kill(pidOf('two'), 'SIGKILL');
    await ended;
    await pausing.stop();
  });

  it('counts a service as ready only after what must be prepared in it', async () => {
    const order: string[] = [];
    const prepare = async () => {
      await sleep(20);
      order.push('prepared');
    };
    const supervisor = run([await service('one', 'good', { prepare })]);
    await supervisor.ready;
    order.push(events.at(-1)!.type);
    expect(order).toEqual(['prepared', 'ready']);
  });

  it('hands on each line with its stream', async () => {
    const lines: string[] = [];
    const both = Promise.withResolvers<void>();
    const log: NodeServiceOptions['log'] = (line, stream) => {
      lines.push(`${stream}: ${line}`);
      if (lines.length === 2) both.resolve();
    };
    await run([await service('one', 'chatty', { log })]).ready;
    await both.promise;
    expect(lines.toSorted()).toEqual(['stderr: to stderr', 'stdout: to stdout']);
  });
});

describe('identity of a process', () => {
  it('is that of a living process and of no other with its number', async () => {
    const identity = await identify(process.pid);
    expect(await isAlive(identity!)).toBe(true);
    expect(await isAlive({ pid: process.pid, start: 'some other time' })).toBe(false);
    expect(await waitUntilGone(identity!, 0)).toBe(false);
    expect(await identify(2 ** 22 + 1)).toBeUndefined();
  });
});
