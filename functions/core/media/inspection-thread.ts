/** The thread of inspection.ts: looks into one medium after the other, with the bytes that it asks for. */
import { parentPort } from 'node:worker_threads';
import { AimaError } from '../errors.ts';
import { probeFilm } from './films.ts';
import type { FromThread, Inspected, ToThread } from './inspection.ts';
import { openReader, ReadLimitReached } from './object-reader.ts';
import { probePicture } from './pictures.ts';

/** The index of a film of many hours has some MiB. */
const mostBytes = 32 * 2 ** 20;

const port = parentPort!;
const say = (message: FromThread) => port.postMessage(message);

/** Who waits for bytes, by the number of his question. */
const waiting = new Map<number, (bytes: Buffer) => void>();
let asked = 0;

function fetchRange(start: number, end: number): Promise<Buffer> {
  const { promise, resolve } = Promise.withResolvers<Buffer>();
  waiting.set(++asked, resolve);
  say({ question: asked, start, end });
  return promise;
}

async function lookInto({ sizeBytes, head, signature }: Inspected): Promise<FromThread> {
  const file = openReader(sizeBytes, Buffer.from(head), fetchRange, mostBytes);
  try {
    if (signature.is === 'picture')
      return { facts: await probePicture(file, signature.format, signature.contentType) };
    return { facts: await probeFilm(file, signature.format) };
  } catch (error) {
    if (error instanceof ReadLimitReached) return { facts: null };
    if (error instanceof AimaError) return { refused: { code: error.code, detail: error.message } };
    return { failed: error instanceof Error ? error.message : String(error) };
  }
}

port.on('message', async (message: ToThread) => {
  if ('medium' in message) return say(await lookInto(message.medium));
  waiting.get(message.question)?.(Buffer.from(message.bytes));
  waiting.delete(message.question);
});
