/** A user of a running stack: what the tests of the whole thread do over HTTP and S3. */
import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect, type Sql } from '../../functions/core/database.ts';
import { ResultDocument } from '../../functions/core/results/schema.ts';
import { SubmitAnswer } from '../../functions/core/submit/request.ts';
import { type Stack, type StackOptions, startStack } from '../stack/start-stack.ts';

const finalStates = ['succeeded', 'failed', 'canceled', 'expired'];

export interface JobAnswer {
  jobId: string;
  state: string;
  progress: number;
  attempt: number;
  error: { code: string; detail: string | null } | null;
}

export interface Client {
  stack: Stack;
  /** As the superuser: to look at rows, and to break them. */
  sql: Sql;
  call(method: string, path: string, body?: unknown, token?: string): Promise<Response>;
  submit(request: object, headers?: Record<string, string>): Promise<SubmitAnswer>;
  /** Submits a file and uploads it. */
  send(path: string, request?: object): Promise<string>;
  put(url: string, bytes: Uint8Array<ArrayBuffer>): Promise<void>;
  job(jobId: string): Promise<JobAnswer>;
  result(jobId: string): Promise<ResultDocument>;
  /** Polls until `ready`, or fails with the job's last state and all that the stack printed. */
  until(jobId: string, ready: (job: JobAnswer) => boolean, patienceMs?: number): Promise<JobAnswer>;
  /** Until it is in a final state. */
  finished(jobId: string, patienceMs?: number): Promise<JobAnswer>;
  /** Until no instance is left. */
  nothingRuns(patienceMs?: number): Promise<void>;
  remove(): Promise<void>;
}

export async function startClient(options: StackOptions = { models: true }): Promise<Client> {
  const stack = await startStack(options);
  const sql = connect(stack.superuserUrl.replace(/\/postgres$/, '/aima'), { max: 2 });

  const call = (method: string, path: string, body?: unknown, token = stack.apiToken) =>
    fetch(`${stack.gatewayUrl}/function/${path}`, {
      method,
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      redirect: 'manual',
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });

  async function json(method: string, path: string): Promise<unknown> {
    const response = await call(method, path);
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
    return response.json();
  }

  const client: Client = {
    stack,
    sql,
    call,
    async submit(request, headers = {}) {
      const response = await fetch(`${stack.gatewayUrl}/function/submit-job`, {
        method: 'POST',
        headers: {
          authorization: `Bearer ${stack.apiToken}`,
          'content-type': 'application/json',
          ...headers,
        },
        body: JSON.stringify(request),
      });
      if (response.status !== 202) throw new Error(`submit: ${response.status} ${await response.text()}`);
      return SubmitAnswer.parse(await response.json());
    },
    async send(path, request = {}) {
      const { jobs } = await client.submit({ name: path.split('/').pop(), ...request });
      await client.put(jobs[0]!.upload!.url!, Uint8Array.from(await readFile(path)));
      return jobs[0]!.jobId;
    },
    async put(url, bytes) {
      const response = await fetch(url, { method: 'PUT', body: bytes });
      if (!response.ok) throw new Error(`PUT: ${response.status} ${await response.text()}`);
    },
    job: async (jobId) => (await json('GET', `jobs/${jobId}`)) as JobAnswer,
    result: async (jobId) => ResultDocument.parse(await json('GET', `jobs/${jobId}/result`)),
    async until(jobId, ready, patienceMs = 180_000) {
      let last: JobAnswer | undefined;
      for (const endMs = Date.now() + patienceMs; Date.now() < endMs; ) {
        // A function host that was just killed answers nothing for a moment.
        last = await client.job(jobId).catch(() => last);
        if (last && ready(last)) return last;
        await sleep(100);
      }
      throw new Error(`still ${JSON.stringify(last)}\n${stack.output()}`);
    },
    finished: (jobId, patienceMs) =>
      client.until(jobId, (job) => finalStates.includes(job.state), patienceMs),
    async nothingRuns(patienceMs = 90_000) {
      for (const endMs = Date.now() + patienceMs; Date.now() < endMs; await sleep(100)) {
        const live = await sql`select state, reason from instances where state <> 'terminated'`.catch(() => [
          null,
        ]);
        if (live.length === 0) return;
      }
      throw new Error(`instances are left: ${JSON.stringify(await sql`select * from instances`)}`);
    },
    async remove() {
      await sql.end({ timeout: 1 });
      await stack.remove();
    },
  };
  return client;
}
