/** What workers of a simulated RunPod endpoint call, as runpod-python 1.12.0 does; documented nowhere. */
import type { SimAnswer, SimRoute } from '../server.ts';
import type { Jobs } from './jobs.ts';

export const workerKey = 'key-of-a-worker';
/** How long a worker's poll is held open, in real time. */
const pollMs = 5_000;

export function workerRoutes(endpointId: string, jobs: Jobs): SimRoute[] {
  const route = (method: string, path: string, handle: SimRoute['handle']) => ({
    method,
    path: new RegExp(`^/v2/${endpointId}/${path}$`),
    call: null,
    handle,
  });

  /** Holds a worker's poll open until there is something for it. */
  const poll = async (look: () => object | null): Promise<SimAnswer> => {
    const body = await jobs.until(pollMs, look);
    return body === null ? { status: 204 } : { status: 200, body };
  };

  return [
    route('GET', 'job-take/([^/]+)', ({ params: [workerId] }) =>
      poll(() => {
        const job = jobs.take(workerId!);
        if (!job) return null;
        const { input, webhook } = job.submission;
        return { id: job.machine.id, input, ...(webhook ? { webhook } : {}) };
      }),
    ),
    route('GET', 'job-stop/([^/]+)', ({ params: [workerId] }) =>
      poll(() => {
        const jobsToStop = jobs.roster.takeStops(workerId!);
        return jobsToStop.length > 0 ? { jobsToStop } : null;
      }),
    ),
    route('POST', 'job-done/([^/]+)/([^/]+)', ({ params: [workerId, jobId], body, headers }) => {
      const job = jobs.find(jobId!);
      const isForm = headers['content-type'] === 'application/x-www-form-urlencoded';
      if (!isForm || !job || job.workerId !== workerId || job.outcome)
        return { status: 400, body: 'Bad Request' };
      const { status, ...result } = body as { output?: unknown; error?: string; status?: string };
      if (status === 'IN_PROGRESS') Object.assign(job, result);
      else jobs.finish(job, result.error === undefined ? 'COMPLETED' : 'FAILED', result);
      return { status: 200, body: {} };
    }),
    route('GET', 'ping/([^/]+)', ({ params: [workerId], query }) => {
      jobs.ping(workerId!, (query.get('job_id') ?? '').split(','));
      return { status: 200, body: {} };
    }),
  ];
}

/** What RunPod puts into the environment of a worker. */
export function workerEnvironment(url: string, endpointId: string, workerId: string): Record<string, string> {
  const base = `${url}/v2/${endpointId}`;
  const gpu = 'gpu=NVIDIA+GeForce+RTX+4090';
  return {
    RUNPOD_WEBHOOK_GET_JOB: `${base}/job-take/$ID?${gpu}`,
    RUNPOD_WEBHOOK_POST_OUTPUT: `${base}/job-done/$RUNPOD_POD_ID/$ID?${gpu}`,
    RUNPOD_WEBHOOK_POST_STREAM: `${base}/job-stream/$RUNPOD_POD_ID/$ID?${gpu}`,
    RUNPOD_WEBHOOK_PING: `${base}/ping/$RUNPOD_POD_ID?${gpu}`,
    RUNPOD_AI_API_KEY: workerKey,
    RUNPOD_POD_ID: workerId,
    RUNPOD_ENDPOINT_ID: endpointId,
    RUNPOD_PING_INTERVAL: '1000',
  };
}
