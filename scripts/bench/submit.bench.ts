/**
 * submit-job through the gateway: how many a second with 16 callers at once, and how long one takes
 * when 100 a second arrive, whatever the answers do (open loop, so that a slow answer delays no
 * request). The load comes from the same two cores.
 */
import { Agent, request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { startStack } from '../../tests/stack/start-stack.ts';
import { figure, percentile } from './figures.ts';

const callers = 16;
const secondsEach = 15;
const perSecond = 100;

export async function run(): Promise<void> {
  const stack = await startStack({ models: false });
  const agent = new Agent({ keepAlive: true, maxSockets: 256 });
  const url = new URL('/function/submit-job', stack.gatewayUrl);
  const body = JSON.stringify({ name: 'talk.mp4', contentType: 'video/mp4', sizeBytes: 1_000_000 });
  const headers = {
    authorization: `Bearer ${stack.apiToken}`,
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(body),
  };
  const submit = () =>
    new Promise<void>((done, failed) => {
      const call = request(url, { method: 'POST', agent, headers }, (answer) => {
        answer.resume();
        answer.on('end', () =>
          answer.statusCode === 202 ? done() : failed(new Error(`answered ${answer.statusCode}`)),
        );
      });
      call.on('error', failed);
      call.end(body);
    });
  try {
    await Promise.all(Array.from({ length: callers }, submit));

    let submitted = 0;
    const until = performance.now() + secondsEach * 1000;
    const began = performance.now();
    await Promise.all(
      Array.from({ length: callers }, async () => {
        for (; performance.now() < until; submitted++) await submit();
      }),
    );
    figure('submit_per_s', submitted / ((performance.now() - began) / 1000));

    const tookMs: number[] = [];
    const calls: Promise<void>[] = [];
    const start = performance.now();
    for (let n = 0; n < perSecond * secondsEach; n++) {
      const dueMs = start + (n * 1000) / perSecond;
      if (dueMs > performance.now()) await sleep(dueMs - performance.now());
      // Counted from when it was due: what the sender is late with is waiting too.
      calls.push(submit().then(() => void tookMs.push(performance.now() - dueMs)));
    }
    await Promise.all(calls);
    figure('submit_p50_ms', percentile(tookMs, 0.5));
    figure('submit_p99_ms', percentile(tookMs, 0.99));
  } finally {
    agent.destroy();
    await stack.remove();
  }
}
