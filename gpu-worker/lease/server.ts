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

const Hello = z.object({ fence: z.number() });
const Heartbeat = z.object({ jobs: z.array(z.string()) });
/** Of the lease, by the server's clock. */
const RemainingMs = z.number();
const Claim = z
  .object({
    jobId: z.string(),
    fence: z.number(),
    attempt: z.number(),
    analyses: z.array(z.string()),
    options: z.object({ language: z.string().nullish() }).loose(),
    /** What of the medium is to be analysed; null: all of it. */
    range: z.object({ fromMs: z.number(), toMs: z.number() }).nullable(),
    /** Where its pictures are kept. */
    resultPrefix: z.string(),
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

/** What was said already is waited for before the last word, for a moment. */
const pendingMs = 500;

export interface ServerOptions {
  /** PEM: over TLS, and only to a server that shows this one. */
  certificate?: string | undefined;
  /** Called whenever the server has answered. */
  onContact?: () => void;
}

export function openServer(databaseUrl: string, signal: AbortSignal, options: ServerOptions = {}) {
  const sql = connect(databaseUrl, { max: 2, certificate: options.certificate });
  const pending = new Set<Promise<unknown>>();
  let fence = 0;

  function call<T>(run: (again: boolean) => Promise<T>): Promise<T> {
    const answer = ask(run);
    pending.add(answer);
    const settled = () => pending.delete(answer);
    answer.then(settled, settled);
    return answer;
  }

  /** `run` is told whether it is a repetition: then the call before it may have been heard. */
  async function ask<T>(run: (again: boolean) => Promise<T>): Promise<T> {
    for (let pauseMs = 100, again = false; ; pauseMs = Math.min(pauseMs * 2, 2000), again = true) {
      try {
        const answer = await run(again);
        options.onContact?.();
        return answer;
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
    /** The program's first word, before it looks at its device. */
    async starting(report: postgres.JSONValue): Promise<void> {
      await call(() => sql`select worker.starting(${sql.json(report)})`);
    },
    /** Says that this machine cannot do what it was rented for; that ends the lease. */
    async unfit(detail: string): Promise<void> {
      await call(() => sql`select worker.unfit(${detail})`);
    },
    /** Says that this worker is ready; from now on it holds the lease. */
    async hello(report: postgres.JSONValue) {
      const [row] = await call(
        () => sql`select worker.hello(${sql.json(report)}) as answer, worker.remaining_ms() as remaining_ms`,
      );
      const hello = Hello.parse(row!.answer);
      fence = hello.fence;
      return { ...hello, remainingMs: RemainingMs.parse(row!.remainingMs) };
    },
    async heartbeat() {
      const [row] = await call(
        () => sql`select worker.heartbeat(${fence}) as answer, worker.remaining_ms() as remaining_ms`,
      );
      return { ...Heartbeat.parse(row!.answer), remainingMs: RemainingMs.parse(row!.remainingMs) };
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
    /**
     * The last word, after what was on its way has arrived.
     * @param died whether what it was doing may be to blame.
     */
    async leave(reason: string, died: boolean) {
      await Promise.race([Promise.allSettled(pending), sleep(pendingMs)]);
      await call(() => sql`select worker.leave(${fence}, ${reason}, ${died})`);
    },
    close: () => sql.end({ timeout: 1 }),
  };
}
