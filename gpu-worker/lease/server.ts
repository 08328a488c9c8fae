/**
 * The server as a worker sees it: the functions of schema `worker` in Postgres
 * (infra/postgres/migrations/0004_worker.sql), called with the login of this lease.
 *
 * Calls are tried again while Postgres cannot be reached, since all of them may come twice. How
 * long is the caller's business: `signal` ends the trying.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type postgres from 'postgres';
import { z } from 'zod';
import { connect } from '../../functions/core/database.ts';
import { ResultRow } from '../../functions/core/results/rows.ts';

const Access = z.object({ getUrl: z.url(), postUrl: z.url(), postFields: z.record(z.string(), z.string()) });

const Hello = z.object({ fence: z.number(), deadlineAt: z.coerce.date() });
const Heartbeat = z.object({ deadlineAt: z.coerce.date(), jobs: z.array(z.string()) });
const Claim = z
  .object({
    jobId: z.string(),
    fence: z.number(),
    attempt: z.number(),
    analyses: z.array(z.string()),
    options: z.object({ language: z.string().nullish() }).loose(),
    medium: z.object({
      name: z.string(),
      contentType: z.string().nullable(),
      sizeBytes: z.number().nullable(),
      kind: z.string().nullable(),
    }),
    access: Access,
  })
  .nullable();
const Saved = z.array(
  z.object({ analyzer: z.string(), fromMs: z.number(), toMs: z.number(), rows: z.array(ResultRow) }),
);

export type Access = z.infer<typeof Access>;
export type ClaimedJob = NonNullable<z.infer<typeof Claim>>;
export type SavedParts = z.infer<typeof Saved>;

/** Another worker holds the lease or the job now, or it was canceled: stop working on it. */
export class Superseded extends Error {
  override name = 'Superseded';
}

/** The lease is over: nothing this worker says is heard any more. */
export class LeaseOver extends Error {
  override name = 'LeaseOver';
}

/** AI003: the lease is over. The others: the login itself is gone, which happens only with the lease. */
const loginGone = ['AI003', '28P01', '28000', '42704'];
/** SQLSTATE 08 and 57P0x, 53300 (Postgres goes, comes or is full); the driver's and the system's codes for a broken line. */
const serverAway =
  /^(08|57P0[1-3]|53300|CONNECT|ECONN|EPIPE|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|ENOTFOUND|EAI_AGAIN)/;

export type Server = ReturnType<typeof openServer>;

export function openServer(databaseUrl: string, signal: AbortSignal) {
  const sql = connect(databaseUrl, { max: 2 });
  let fence = 0;

  /** `run` is told whether it is a repetition: then the call before it may have been heard. */
  async function call<T>(run: (again: boolean) => Promise<T>): Promise<T> {
    for (let pauseMs = 100, again = false; ; pauseMs = Math.min(pauseMs * 2, 2000), again = true) {
      try {
        return await run(again);
      } catch (error) {
        const code = String((error as { code?: unknown } | null)?.code);
        if (code === 'AI002') throw new Superseded((error as Error).message);
        if (loginGone.includes(code)) throw new LeaseOver((error as Error).message);
        if (!serverAway.test(code)) throw error;
        signal.throwIfAborted();
        await sleep(pauseMs, undefined, { signal });
      }
    }
  }

  return {
    /** Says that this worker is ready; from now on it holds the lease. */
    async hello(report: postgres.JSONValue): Promise<z.infer<typeof Hello>> {
      const [row] = await call(() => sql`select worker.hello(${sql.json(report)}) as answer`);
      const hello = Hello.parse(row!.answer);
      fence = hello.fence;
      return hello;
    },
    async heartbeat() {
      const [row] = await call(() => sql`select worker.heartbeat(${fence}) as answer`);
      return Heartbeat.parse(row!.answer);
    },
    /** The next job, or null. A worker does one at a time: it holds none when it calls this. */
    async claim(): Promise<ClaimedJob | null> {
      const [row] = await call((again) => sql`select worker.claim(${fence}, ${again}) as answer`);
      return Claim.parse(row!.answer);
    },
    async access(job: ClaimedJob): Promise<Access> {
      const [row] = await call(() => sql`select worker.access(${job.fence}, ${job.jobId}) as answer`);
      return Access.parse(row!.answer);
    },
    /** Parts that earlier attempts saved. */
    async saved(job: ClaimedJob): Promise<SavedParts> {
      const [row] = await call(() => sql`select worker.saved(${job.fence}, ${job.jobId}) as answer`);
      return Saved.parse(row!.answer);
    },
    async savePart(
      job: ClaimedJob,
      analyzer: string,
      part: { fromMs: number; toMs: number; rows: ResultRow[] },
    ) {
      await call(
        () =>
          sql`select worker.save_part(${job.fence}, ${job.jobId}, ${analyzer}, ${part.fromMs}, ${part.toMs}, ${sql.json(part.rows)})`,
      );
    },
    async progress(job: ClaimedJob, fraction: number) {
      await call(() => sql`select worker.progress(${job.fence}, ${job.jobId}, ${fraction})`);
    },
    async finish(job: ClaimedJob, run: postgres.JSONValue, medium: postgres.JSONValue) {
      await call(
        () => sql`select worker.finish(${job.fence}, ${job.jobId}, ${sql.json(run)}, ${sql.json(medium)})`,
      );
    },
    async fail(
      job: ClaimedJob,
      failure: { code: string; detail: string; retry: boolean; run: postgres.JSONValue },
    ) {
      const { code, detail, retry, run } = failure;
      await call(
        () =>
          sql`select worker.fail(${job.fence}, ${job.jobId}, ${code}, ${detail}, ${retry}, ${sql.json(run)})`,
      );
    },
    /** @param died whether what it was doing may be to blame. */
    async leave(reason: string, died: boolean) {
      await call(() => sql`select worker.leave(${fence}, ${reason}, ${died})`);
    },
    close: () => sql.end({ timeout: 1 }),
  };
}
