/** The simulated providers: each as its simulator, what the configuration must say of it, and its adapter. */
import type { Config } from '../../functions/core/config.ts';
import type { Provider } from '../../functions/core/providers/provider.ts';
import { runpodPods } from '../../functions/core/providers/runpod-pods.ts';
import { runpodServerless } from '../../functions/core/providers/runpod-serverless.ts';
import { salad } from '../../functions/core/providers/salad.ts';
import { shadeform } from '../../functions/core/providers/shadeform.ts';
import { sshOptions } from '../../functions/core/providers/ssh/options.ts';
import { ssh } from '../../functions/core/providers/ssh.ts';
import { vast } from '../../functions/core/providers/vast.ts';
import type { Clock } from './simulator/clock.ts';
import type { StartContainer } from './simulator/market.ts';
import { startRunpodPods } from './simulator/runpod-pods.ts';
import { startRunpodServerless } from './simulator/runpod-serverless.ts';
import { organization, project } from './simulator/salad/group.ts';
import { startSalad } from './simulator/salad.ts';
import { accountKey, type Simulator } from './simulator/server.ts';
import { startShadeform } from './simulator/shadeform.ts';
import { type SshSimulator, startSsh } from './simulator/ssh.ts';
import { startVast } from './simulator/vast.ts';

export interface Simulation {
  clock: Clock;
  startContainer: StartContainer;
  acceptMs: number;
  pullMs: number;
}

/** A provider that runs: what the configuration must say of it, and the adapter with short patience. */
export interface Running {
  simulator: Simulator;
  environment: Record<string, string>;
  secrets: Record<string, string>;
  open(config: Config): Provider;
}

export interface SimulatedProvider {
  name: string;
  start(simulation: Simulation): Promise<Running>;
}

/** The image that the simulated machines run. */
export const image = 'aima/gpu-worker:test';
/** Less than the slowest fault takes, more than a busy machine does. */
const timeoutMs = 1_500;

export const simulatedProviders: readonly SimulatedProvider[] = [
  {
    name: 'runpod-pods',
    async start(simulation) {
      const simulator = await startRunpodPods(simulation);
      const { url } = simulator;
      return {
        simulator,
        environment: { AIMA_RUNPOD_URL: url },
        secrets: { 'runpod-api-key': accountKey },
        open: () =>
          runpodPods({
            ...{ url, apiKey: accountKey, image, diskGb: 40, minCuda: 12.4, timeoutMs },
            clouds: ['SECURE', 'COMMUNITY'],
          }),
      };
    },
  },
  {
    name: 'vast',
    async start(simulation) {
      const simulator = await startVast(simulation);
      const { url } = simulator;
      const { clock } = simulation;
      return {
        simulator,
        environment: { AIMA_VAST_URL: url },
        secrets: { 'vast-api-key': accountKey },
        open: () =>
          vast({
            ...{ url, apiKey: accountKey, image, diskGb: 40, minVramMb: 15_000, minCuda: 12.4, timeoutMs },
            ...{ minReliability: 0.95, minLeaseMs: 3_600_000, interruptible: true },
            // The simulator keeps no thresholds: nothing is gained by waiting for them.
            clock: { nowMs: clock.nowMs, sleep: async () => {} },
          }),
      };
    },
  },
  {
    name: 'shadeform',
    async start(simulation) {
      const simulator = await startShadeform(simulation);
      const { url } = simulator;
      return {
        simulator,
        environment: { AIMA_SHADEFORM_URL: url },
        secrets: { 'shadeform-api-key': accountKey },
        open: () => shadeform({ url, apiKey: accountKey, image, diskGb: 40, timeoutMs }),
      };
    },
  },
  {
    name: 'salad',
    async start(simulation) {
      const simulator = await startSalad(simulation);
      const { url } = simulator;
      return {
        simulator,
        environment: {
          AIMA_SALAD_URL: url,
          AIMA_SALAD_ORGANIZATION: organization,
          AIMA_SALAD_PROJECT: project,
        },
        secrets: { 'salad-api-key': accountKey },
        open: () => salad({ url, apiKey: accountKey, organization, project, image, diskGb: 40, timeoutMs }),
      };
    },
  },
  {
    name: 'runpod-serverless',
    async start(simulation) {
      const simulator = await startRunpodServerless(simulation);
      const { url, endpointId } = simulator;
      return {
        simulator,
        environment: {
          AIMA_RUNPOD_URL: url,
          AIMA_RUNPOD_SERVERLESS_URL: url,
          AIMA_RUNPOD_ENDPOINT: endpointId,
        },
        secrets: { 'runpod-api-key': accountKey },
        open: () =>
          runpodServerless({
            ...{ controlUrl: url, runtimeUrl: url, endpointId, key: accountKey, timeoutMs },
          }),
      };
    },
  },
  {
    name: 'ssh',
    async start({ clock, startContainer }) {
      const simulator: SshSimulator = await startSsh({ clock, startContainer, image });
      return {
        simulator,
        environment: { AIMA_SSH_HOSTS: simulator.host },
        secrets: { 'ssh-private-key': simulator.privateKey, 'ssh-known-hosts': simulator.knownHosts },
        open: (config) => ssh({ ...sshOptions(config), timeoutMs: { create: timeoutMs, other: timeoutMs } }),
      };
    },
  },
];
