/**
 * RunPod Serverless with one endpoint: the job runtime (api.runpod.ai), the routes of the control plane
 * that belong to an endpoint (api.runpod.io), and what workers call, all at one address.
 *
 * Documented nowhere and assumed here: purged jobs are unknown afterwards, an ended job is canceled
 * without an error, and jobs end with their workers when the endpoint is given none any more.
 */
import { type Clock, realClock } from './clock.ts';
import type { StartContainer } from './market.ts';
import { openControl, problem } from './runpod-serverless/control.ts';
import { type Jobs, openJobs } from './runpod-serverless/jobs.ts';
import { runtimeRoutes } from './runpod-serverless/runtime.ts';
import { workerEnvironment, workerKey, workerRoutes } from './runpod-serverless/workers.ts';
import { accountKey, type Simulator, startSimulator } from './server.ts';

export interface RunpodServerlessOptions {
  clock?: Clock;
  port?: number;
  /** From the submission until a worker has it, where no real workers take the jobs. */
  acceptMs?: number;
  pullMs?: number;
  startContainer?: StartContainer;
  /** Jobs wait for real workers that take them by RunPod's protocol. */
  external?: boolean;
  /** Workers go on with their jobs when the endpoint is given none any more. */
  drains?: boolean;
}

export interface RunpodServerlessSimulator extends Simulator {
  endpointId: string;
  jobs: Jobs;
  /** What RunPod puts into the environment of a worker. */
  workerEnvironment(workerId: string): Record<string, string>;
}

const endpointId = '4m7x2k9q';
const workerPath = new RegExp(`^/v2/${endpointId}/(job-take|job-stop|job-done|ping)/`);

export async function startRunpodServerless(
  options: RunpodServerlessOptions = {},
): Promise<RunpodServerlessSimulator> {
  const { clock = realClock, port, external = false, drains = false, ...containers } = options;
  const offer = { id: endpointId, stock: 5, pricePerHour: 1.1, facts: {} };
  const jobs = openJobs({ clock, offers: [offer], external, ...containers });
  const control = openControl({ jobs, offer, external, drains });
  const simulator = await startSimulator({
    market: jobs.market,
    routes: [
      ...control.routes,
      ...runtimeRoutes(endpointId, jobs, () => control.workers().summary),
      ...workerRoutes(endpointId, jobs),
    ],
    authorize({ headers }, path) {
      const key = headers.authorization ?? '';
      const taken = workerPath.test(path) ? [workerKey] : [accountKey, `Bearer ${accountKey}`];
      return taken.includes(key) ? null : problem(401, 'missing bearer token');
    },
    notFound: problem(404, 'resource not found'),
    ...(port === undefined ? {} : { port }),
  });
  return {
    ...simulator,
    endpointId,
    jobs,
    workerEnvironment: (workerId) => workerEnvironment(simulator.url, endpointId, workerId),
    async close() {
      jobs.close();
      await simulator.close();
    },
  };
}
