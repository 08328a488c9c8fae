/** Sends a file to the presigned address, or in parts to several; a part that fails is sent again. */
import { createReadStream } from 'node:fs';
import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import type { SubmittedJob } from '../../functions/core/submit/request.ts';
import type { Api } from './api.ts';

const tries = 4;

/** @param onSent gets the bytes sent so far. */
export async function uploadFile(
  api: Api,
  job: SubmittedJob,
  path: string,
  sizeBytes: number,
  onSent: (bytes: number) => void,
): Promise<void> {
  const upload = job.upload!;
  if (!upload.multipart) {
    await put(upload.url!, upload.headers ?? {}, path, { start: 0, end: sizeBytes }, onSent);
    return;
  }
  const { partSizeBytes, parts, complete } = upload.multipart;
  const etags: { partNumber: number; etag: string }[] = [];
  for (const { partNumber, url } of parts) {
    const start = (partNumber - 1) * partSizeBytes;
    const range = { start, end: Math.min(sizeBytes, start + partSizeBytes) };
    etags.push({ partNumber, etag: await put(url, {}, path, range, (sent) => onSent(start + sent)) });
  }
  await api.completeUpload(complete, etags);
}

async function put(
  url: string,
  headers: Record<string, string>,
  path: string,
  { start, end }: { start: number; end: number },
  onSent: (bytes: number) => void,
): Promise<string> {
  for (let attempt = 1; ; attempt++) {
    try {
      const response = await fetch(url, {
        method: 'PUT',
        headers: { ...headers, 'content-length': String(end - start) },
        body: end > start ? counted(path, start, end, onSent) : new Uint8Array(),
        duplex: 'half',
      });
      if (response.ok) return response.headers.get('etag') ?? '';
      throw new Error(
        `The object store answered ${response.status}: ${(await response.text()).slice(0, 300)}`,
      );
    } catch (error) {
      if (attempt === tries) throw new Error('The upload failed.', { cause: error });
      await sleep(500 * 2 ** attempt);
    }
  }
}

function counted(path: string, start: number, end: number, onSent: (bytes: number) => void): ReadableStream {
  let sent = 0;
  async function* chunks() {
    for await (const chunk of createReadStream(path, { start, end: end - 1, highWaterMark: 256 << 10 })) {
      sent += chunk.length;
      onSent(sent);
      yield chunk;
    }
  }
  return Readable.toWeb(Readable.from(chunks(), { objectMode: false })) as ReadableStream;
}
