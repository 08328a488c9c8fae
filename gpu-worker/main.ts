/**
 * The dead man's switch: a small program that starts the worker (work.ts) as its child, knows when its
 * life is over, and ends the machine when the worker has ended, however that came about.
 *
 * It is a process of its own and the container's first, because it must work when the worker cannot:
 * native code that never returns, a crash, no memory left. Four things end a worker: the server takes
 * the lease away; its deadline comes; Postgres was not reached for too long; nothing was assigned for a
 * while. Of the second and third it hears from here; the first and last it finds out itself.
 */
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { createLog } from '../functions/core/log.ts';
import { leaveGraceMs, readLimits, type Signs, verdict } from './lease/limits.ts';
import { type FromWorker, type ToWorker, told } from './lease/messages.ts';
import { endMachine, keyVariables } from './lease/self-end.ts';

const { env } = process;
const worker = fork(fileURLToPath(new URL('work.ts', import.meta.url)), process.argv.slice(2), {
  env: Object.fromEntries(Object.entries(env).filter(([name]) => !keyVariables.includes(name))),
});
const log = createLog({ service: 'worker', instanceId: env.AIMA_INSTANCE_ID });
const limits = readLimits(env);
const killGraceMs = 5000;

/** `performance.now` counts from the start of the program and cannot jump when the clock is set. */
const signs: Signs = {
  startedMs: 0,
  contactMs: null,
  isReady: false,
  deadlineMs: Number.POSITIVE_INFINITY,
  asked: null,
};

worker.on('message', (message: FromWorker) => {
  signs.contactMs = performance.now();
  if (!('remainingMs' in message)) return;
  signs.isReady = true;
  signs.deadlineMs = performance.now() + message.remainingMs;
});

function ask(why: string, graceMs: number): void {
  signs.asked ??= { atMs: performance.now(), why, graceMs };
  // It may just have ended.
  worker.send({ end: why } satisfies ToWorker, () => {});
}

const watch = setInterval(() => {
  const now = verdict(signs, limits, performance.now());
  if (now?.act === 'ask') ask(now.why, leaveGraceMs);
  if (now?.act === 'kill') kill(now.why);
}, 250);

function kill(why: string): void {
  if (worker.killed) return;
  log.warn(`the worker is killed: it ${why} and does not end by itself`);
  worker.kill('SIGKILL');
  // The kernel cannot end what waits inside a driver.
  setTimeout(() => over('cannot be killed'), killGraceMs);
}

let isEnding = false;
for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.on(signal, () => {
    // Whoever sends it stops this container; while the machine ends there is nothing more to wait for.
    if (isEnding) process.exit(0);
    // Who sends SIGTERM kills soon after, `local` after 1.5 s.
    ask(told, 1250);
  });
}

process.on('uncaughtException', (error) => over(`the switch failed: ${error.message}`));
worker.once('error', (error) => over(error.message));
worker.once('exit', (code, signal) => over(signal ? `killed by ${signal}` : `exit code ${code}`));

async function over(how: string): Promise<void> {
  if (isEnding) return;
  isEnding = true;
  clearInterval(watch);
  const isWell = how === 'exit code 0';
  if (!isWell) log.warn(`the worker is gone: ${how}`);
  await endMachine(env, { log: log.info });
  process.exit(isWell ? 0 : 1);
}
