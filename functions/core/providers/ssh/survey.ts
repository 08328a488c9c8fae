/** What each host has to offer, and why one has nothing. */
import { gpuByName } from '../gpus.ts';
import { type Offer, ProviderError } from '../provider.ts';
import { onHost, type Run } from './connection.ts';
import { readGpu, runningContainers } from './docker.ts';
import type { SshHost } from './hosts.ts';
import { accessTo, type SshOptions } from './options.ts';

export interface HostReport {
  host: string;
  /** Null with the reason where it makes none. */
  offer: Offer | null;
  fault: ProviderError | null;
}

/** Asks every host what it has. Never throws: each tells for itself. */
export function surveyHosts(options: SshOptions): Promise<HostReport[]> {
  return Promise.all(
    options.hosts.map(async (host) => {
      try {
        return {
          host: host.name,
          offer: await onHost(host, accessTo(options), (run) => offerOf(host, run)),
          fault: null,
        };
      } catch (error) {
        if (!(error instanceof ProviderError)) throw error;
        return { host: host.name, offer: null, fault: error };
      }
    }),
  );
}

/** Whether a worker runs there, whoever's: two installations that share a host do not share its GPU. */
export async function isTaken(host: SshHost, run: Run): Promise<boolean> {
  return (await runningContainers(host, run)).some((name) => name.startsWith('aima-'));
}

async function offerOf(host: SshHost, run: Run): Promise<Offer> {
  const gpu = await readGpu(host, run);
  return {
    provider: 'ssh',
    offerId: host.name,
    host: host.name,
    gpu: gpu.name,
    vramMb: gpu.vramMb,
    cuda: null,
    region: null,
    reliability: null,
    interruptible: false,
    priceMicrodollarsPerHour: 0,
    trafficMicrodollarsPerGb: { in: 0, out: 0 },
    downloadMbps: null,
    billedFrom: 'request',
    available: (await isTaken(host, run)) ? 0 : 1,
    // The image is there: a container starts in a second, then the models are opened.
    bootMs: 15_000,
    speed: gpuByName(gpu.name).speed,
  };
}
