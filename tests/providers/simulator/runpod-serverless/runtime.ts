/** The job runtime of a simulated RunPod: https://docs.runpod.io/serverless/endpoints/operation-reference. */
import type { SimAnswer, SimRequest, SimRoute } from '../server.ts';
import type { Jobs, SimJob, Submission } from './jobs.ts';

const mostBytes = 10 << 20;
const mostPolicyMs = 7 * 24 * 3_600_000;
const noJob: SimAnswer = { status: 404, body: { error: 'job not found' } };

/** @param workers how many there are in each state. */
export function runtimeRoutes(
  endpointId: string,
  jobs: Jobs,
  workers: () => Record<string, number>,
): SimRoute[] {
  const route = (method: string, path: string, call: SimRoute['call'], handle: SimRoute['handle']) => ({
    method,
    path: new RegExp(`^/v2/${endpointId}/${path}$`),
    call,
    handle,
  });

  function submit({ body, fault }: SimRequest): SimAnswer {
    const submission = body as Partial<Submission> | undefined;
    const { executionTimeout = 600_000, ttl = 86_400_000 } = submission?.policy ?? {};
    if (typeof submission?.input !== 'object') return { status: 400, body: { error: 'input is required' } };
    if (JSON.stringify(body).length > mostBytes)
      return { status: 400, body: { error: 'body exceeds 10MiB' } };
    if (executionTimeout < 5_000 || ttl < 10_000 || Math.max(executionTimeout, ttl) > mostPolicyMs)
      return { status: 400, body: { error: 'policy is out of range' } };
    const { id } = jobs.submit(submission as Submission, fault);
    return { status: 200, body: { id, status: 'IN_QUEUE' } };
  }

  const ofJob = (act: (job: SimJob, request: SimRequest) => SimAnswer | Promise<SimAnswer>) => {
    return (request: SimRequest) => {
      const job = jobs.find(request.params.at(-1)!);
      return job ? act(job, request) : noJob;
    };
  };
  const status = (job: SimJob): SimAnswer => ({ status: 200, body: jobs.view(job) });
  /** Its state once that is final, or after the time that the caller would wait. */
  async function statusSync(job: SimJob, { query }: SimRequest): Promise<SimAnswer> {
    await jobs.until(Number(query.get('wait') ?? 90_000), () => job.outcome);
    return status(job);
  }

  return [
    route('POST', 'run', 'create', submit),
    route('POST', 'runsync', 'create', async (request) => {
      const answer = submit(request);
      const job = jobs.find((answer.body as { id?: string }).id ?? '');
      return job ? statusSync(job, request) : answer;
    }),
    route('GET', 'status/([^/]+)', 'read', ofJob(status)),
    route('GET', 'status-sync/([^/]+)', 'read', ofJob(statusSync)),
    route(
      'POST',
      'cancel/([^/]+)',
      'terminate',
      ofJob((job, { fault }) => {
        if (fault?.kind !== 'ignored') jobs.finish(job, 'CANCELLED');
        return { status: 200, body: { id: job.machine.id, status: job.outcome ?? 'CANCELLED' } };
      }),
    ),
    route(
      'POST',
      'retry/([^/]+)',
      null,
      ofJob((job) => {
        if (job.outcome !== 'FAILED' && job.outcome !== 'TIMED_OUT')
          return { status: 400, body: { error: 'only failed or timed out jobs can be retried' } };
        jobs.retry(job);
        return { status: 200, body: { id: job.machine.id, status: 'IN_QUEUE' } };
      }),
    ),
    route('GET', 'health', null, () => {
      const states = jobs.live().map(jobs.stateOf);
      const inProgress = states.filter((state) => state === 'IN_PROGRESS').length;
      const { running, idle, initializing, throttled } = workers();
      return {
        status: 200,
        body: {
          jobs: { ...jobs.counts, inProgress, inQueue: states.length - inProgress },
          workers: { idle, initializing, ready: idle, running, throttled },
        },
      };
    }),
    route('POST', 'purge-queue', null, () => {
      const waiting = jobs.live().filter((job) => job.workerId === null);
      for (const job of waiting) jobs.remove(job);
      return { status: 200, body: { removed: waiting.length, status: 'completed' } };
    }),
  ];
}
