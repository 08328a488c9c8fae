/** A user of a server of real parts: submits, uploads, and reads what comes of it. */
import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect, type Sql } from '../../functions/core/database.ts';
import { ResultDocument } from '../../functions/core/results/schema.ts';
import { SubmitAnswer } from '../../functions/core/submit/request.ts';
import type { RealSystem } from './system.ts';

const finalStates = ['succeeded', 'failed', 'canceled', 'expired'];

export interface JobAnswer {
  state: string;
  attempt: number;
  error: { code: string; detail: string | null } | null;
}

export interface RealClient {
  sql: Sql;
  call(method: string, path: string, body?: object): Promise<Response>;
  /** Submits and uploads, as soon as everything it takes is there. @returns the job's id. */
  send(name: string, bytes: Uint8Array<ArrayBuffer>, request: object): Promise<string>;
  /** Polls until `ready`; whatever does not answer meanwhile is asked again. */
  until(jobId: string, ready: (job: JobAnswer) => boolean): Promise<JobAnswer>;
  finished(jobId: string): Promise<JobAnswer>;
  result(jobId: string): Promise<ResultDocument>;
  /**
   * Until every machine is gone at the provider and its lease is being closed. That it is proven gone is not
   * waited for: of a machine that ended itself before any list had shown it, that takes minutes.
   */
  nothingRuns(): Promise<void>;
}

const patienceMs = 180_000;

export async function bytesOf(path: string): Promise<Uint8Array<ArrayBuffer>> {
  return Uint8Array.from(await readFile(path));
}

export function openClient(system: RealSystem): RealClient {
  const sql = connect(system.databaseUrl, { max: 2 });

  /** Until it gives something. @throws with all that was printed. */
  async function patiently<T>(what: string, attempt: () => Promise<T | null>): Promise<T> {
    let why: unknown = null;
    for (const endMs = Date.now() + patienceMs; Date.now() < endMs; await sleep(100)) {
      try {
        const got = await attempt();
        if (got !== null) return got;
      } catch (error) {
        why = error;
      }
    }
    throw new Error(`${what}: not within ${patienceMs} ms (${why})\n${system.output()}`);
  }

  const client: RealClient = {
    sql,
    call: (method, path, body) =>
      fetch(`${system.gatewayUrl}/function/${path}`, {
        method,
        headers: {
          authorization: `Bearer ${system.secrets['api-token']}`,
          'content-type': 'application/json',
        },
        ...(body && { body: JSON.stringify(body) }),
        signal: AbortSignal.timeout(30_000),
      }),
    async send(name, bytes, request) {
      const { jobs } = await patiently(`submit ${name}`, async () => {
        const response = await client.call('POST', 'submit-job', { name, ...request });
        return response.status === 202 ? SubmitAnswer.parse(await response.json()) : null;
      });
      await patiently(`upload ${name}`, async () => {
        const response = await fetch(jobs[0]!.upload!.url!, { method: 'PUT', body: bytes });
        return response.ok || null;
      });
      return jobs[0]!.jobId;
    },
    async until(jobId, ready) {
      let last: JobAnswer | null = null;
      return patiently(`job ${jobId}`, async () => {
        const response = await client.call('GET', `jobs/${jobId}`);
        last = response.ok ? ((await response.json()) as JobAnswer) : last;
        return last && ready(last) ? last : null;
      });
    },
    finished: (jobId) => client.until(jobId, (job) => finalStates.includes(job.state)),
    async result(jobId) {
      return ResultDocument.parse(await (await client.call('GET', `jobs/${jobId}/result`)).json());
    },
    async nothingRuns() {
      await patiently('the end of all machines', async () => {
        const open = await sql`select from instances where state not in ('terminating', 'terminated')`;
        return (open.length === 0 && system.provider.simulator.market.alive().length === 0) || null;
      });
    },
  };
  return client;
}
