import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openHttp } from '../../gpu-worker/media/http.ts';

const answerMs = 60;
const block = Buffer.alloc(1000, 7);
const server = createServer((_request, response) => {
  setTimeout(() => {
    response.writeHead(206, { 'content-range': `bytes 0-${block.length - 1}/${block.length}` }).end(block);
  }, answerMs);
});
beforeAll(() => new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve)));
afterAll(() => new Promise((resolve) => server.close(resolve)));

it('waiting for bytes is told, and reading what is there already hardly counts', async () => {
  const waits: number[] = [];
  const source = await openHttp(`http://127.0.0.1:${(server.address() as AddressInfo).port}/film`, {
    onWaited: (waitedMs) => waits.push(waitedMs),
  });
  expect(waits).toHaveLength(1);
  // Timers may be a moment early.
  expect(waits[0]).toBeGreaterThanOrEqual(answerMs - 5);
  expect(await source.read(0, 10)).toEqual(Uint8Array.from(block.subarray(0, 10)));
  expect(waits).toHaveLength(2);
  expect(waits[1]).toBeLessThan(waits[0]!);
  await source.close();
});
