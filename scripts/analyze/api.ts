/** The HTTP API as this command uses it. Answers are checked by the same schemas that made them. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { InstanceView } from '../../functions/core/instances/list.ts';
import { ResultDocument } from '../../functions/core/results/schema.ts';
import { SubmitAnswer, SubmittedJob } from '../../functions/core/submit/request.ts';

const Job = z.object({
  jobId: z.string(),
  state: z.string(),
  progress: z.number(),
  error: z.object({ code: z.string(), detail: z.string().nullable() }).loose().nullable(),
  costMicrodollars: z.number(),
  quote: z.object({ minMicrodollars: z.number(), maxMicrodollars: z.number() }).nullable(),
  queue: z.object({ reason: z.string().nullable() }).nullable(),
  medium: z.object({ uploadedAt: z.string().nullable() }),
  finishedAt: z.string().nullable(),
  attempts: z.array(
    z.object({ instanceId: z.string(), startedAt: z.string(), endedAt: z.string().nullable() }),
  ),
});

export type Job = z.infer<typeof Job>;

/** The system is not there, or starts just now. */
export class NoAnswerError extends Error {}

export class Api {
  readonly #url: string;
  readonly #token: string;

  private constructor(url: string, token: string) {
    this.#url = url;
    this.#token = token;
  }

  /** @throws Error that says how to get a token, or that nothing answers at the address. */
  static async open(options: { url?: string | undefined; token?: string | undefined }): Promise<Api> {
    const url = options.url ?? process.env.AIMA_GATEWAY_URL ?? 'http://127.0.0.1:8080';
    const token = options.token ?? process.env.AIMA_TOKEN ?? (await storedToken());
    return new Api(url.replace(/\/$/, ''), token);
  }

  async submit(request: object) {
    return SubmitAnswer.parse(await this.#json('POST', '/function/submit-job', request));
  }

  async completeUpload(path: string, parts: { partNumber: number; etag: string }[]) {
    return SubmittedJob.parse(await this.#json('POST', path, { parts }));
  }

  async job(jobId: string): Promise<Job> {
    return Job.parse(await this.#json('GET', `/function/jobs/${jobId}`));
  }

  /** Those that live and those that ended last. */
  async machines(): Promise<InstanceView[]> {
    return z.array(InstanceView).parse(await this.#json('GET', '/function/orchestrate'));
  }

  async result(jobId: string): Promise<ResultDocument> {
    return ResultDocument.parse(await this.#json('GET', `/function/jobs/${jobId}/result`));
  }

  async text(path: string): Promise<string> {
    return (await this.#call('GET', path)).text();
  }

  async #json(method: string, path: string, body?: object): Promise<unknown> {
    return (await this.#call(method, path, body)).json();
  }

  async #call(method: string, path: string, body?: object): Promise<Response> {
    const response = await fetch(this.#url + path, {
      method,
      headers: { authorization: `Bearer ${this.#token}`, 'content-type': 'application/json' },
      ...(body ? { body: JSON.stringify(body) } : {}),
    }).catch((cause: unknown) => {
      throw new NoAnswerError(`Nothing answers at ${this.#url}. Is the system running (npm start)?`, {
        cause,
      });
    });
    if (response.ok) return response;
    const problem = (await response.json().catch(() => ({}))) as {
      code?: string;
      title?: string;
      detail?: string;
      advice?: string;
    };
    const title = problem.title ?? `The server answered ${response.status}`;
    const advice =
      problem.code === 'unauthorized'
        ? 'Set AIMA_DATA_DIR to the data folder of the system that runs, or give --token.'
        : problem.advice;
    throw new Error([`${title}:`, problem.detail, advice].filter(Boolean).join(' '));
  }
}

async function storedToken(): Promise<string> {
  const path = join(
    process.env.AIMA_SECRETS_DIR ?? join(process.env.AIMA_DATA_DIR ?? 'data', 'secrets'),
    'api-token',
  );
  try {
    return (await readFile(path, 'utf8')).trim();
  } catch (cause) {
    throw new Error(`There is no token in ${path}: run this where the system runs, or give --token.`, {
      cause,
    });
  }
}
