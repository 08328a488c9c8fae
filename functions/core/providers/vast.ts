/**
 * Vast.ai by its REST API (https://docs.vast.ai/api-reference): other people's machines, on demand
 * or by bids. Every call is sent once, and no sooner after the last of its kind than Vast allows.
 *
 * The worker deletes its own contract with the key that Vast puts into the container, good for this
 * contract alone. A container that ends does not end it, and a stopped contract pays for its storage:
 * contracts are deleted and never stopped.
 */
import { z } from 'zod';
import type { Config } from '../config.ts';
import { microdollars, type ProviderAnswer, parseAnswer } from './http.ts';
import {
  type BilledCost,
  type CreateOutcome,
  type CreateRequest,
  type Machine,
  type Offer,
  type Provider,
  ProviderError,
} from './provider.ts';
import { type Clock, longestWaitMs, realClock } from './rate-limit.ts';
import {
  failure,
  Instance,
  instanceColumns,
  machineOf,
  name,
  outcomeOf,
  saidIn,
  saysNoSuchInstance,
  saysNothingToDestroy,
} from './vast/answers.ts';
import { mostPerPage, openApi } from './vast/api.ts';
import { askOf, Offers, search, toOffers, type Wanted } from './vast/offers.ts';

const InstancePage = z.object({
  instances: z.array(Instance),
  total_instances: z.number().int(),
  next_token: z.string().nullish(),
});

const ChargePage = z.object({
  results: z.array(z.object({ source: z.string(), amount: z.number() })), // `instance-123`, dollars
  next_token: z.string().nullish(),
});

export interface VastOptions extends Wanted {
  url: string;
  apiKey: string;
  /** The container image. */
  image: string;
  /** Of one request; 30 s where it is not set. */
  timeoutMs?: number;
  clock?: Clock;
}

/** @throws Error where the configuration lacks the image or the key. */
export function openVast(config: Config): Provider {
  const image = config.AIMA_WORKER_IMAGE;
  if (!image) throw new Error(`AIMA_WORKER_IMAGE: ${name} needs the image that its machines run.`);
  return vast({
    url: config.AIMA_VAST_URL,
    apiKey: config.secret('vast-api-key'),
    image,
    diskGb: config.AIMA_DISK_GB,
    minVramMb: config.AIMA_MIN_VRAM_MB,
    minCuda: config.AIMA_MIN_CUDA,
    minReliability: config.AIMA_MIN_RELIABILITY,
    minLeaseMs: config.AIMA_MAX_LEASE_MINUTES * 60_000,
    interruptible: config.AIMA_INTERRUPTIBLE,
  });
}

export function vast(options: VastOptions): Provider {
  const { apiKey, image, diskGb, timeoutMs = 30_000, clock = realClock } = options;
  const url = new URL(options.url).origin;
  const api = openApi({ url, apiKey, timeoutMs, clock });

  return {
    name,
    deadMansSwitch: 'worker_credentials',
    isListed: true,
    isRemote: true,
    // A create may wait for those before it.
    createTimeoutMs: timeoutMs + longestWaitMs,
    listLagMs: 60_000,

    async offers(): Promise<Offer[]> {
      const body = search(options);
      const found = await api.get(Offers, { endpoint: 'POST bundles', path: '/api/v0/bundles/', body });
      return toOffers(found, options);
    },

    async create({ label, offer, environment }: CreateRequest): Promise<CreateOutcome> {
      const { askId, bidDollarsPerHour } = askOf(offer);
      const body = {
        client_id: 'me',
        image,
        disk: diskGb,
        label,
        env: { ...environment, AIMA_PROVIDER: name, AIMA_PROVIDER_URL: url },
        // Keeps the image's own entrypoint; the other kinds put an SSH server in its place.
        runtype: 'args',
        target_state: 'running',
        // Otherwise a bid that came too late makes a stopped contract, which pays for its storage.
        cancel_unavail: true,
        ...(bidDollarsPerHour === null ? {} : { price: bidDollarsPerHour }),
      };
      let answer: ProviderAnswer;
      try {
        // A crash from here on leaves a contract that only its label, ours, tells of.
        answer = await api.ask({ endpoint: 'PUT asks', path: `/api/v0/asks/${askId}/`, body });
      } catch (error) {
        // The only thing that says so without an answer is the line of calls that were not sent yet.
        if (error instanceof ProviderError && error.reason === 'rate_limited')
          return { kind: 'refused', why: 'rate_limited', detail: error.message };
        throw error;
      }
      return outcomeOf(answer, offer);
    },

    async list(): Promise<Machine[]> {
      const pages = await api.getPages(InstancePage, {
        endpoint: 'GET instances',
        path: '/api/v1/instances/',
        query: {
          limit: mostPerPage.instances,
          order_by: [{ col: 'id', dir: 'asc' }],
          select_cols: instanceColumns,
        },
      });
      const found = new Map(pages.flatMap((page) => page.instances).map((one) => [one.id, one]));
      // Of the last page: machines come and go between pages, new ones at the end.
      const total = pages.at(-1)!.total_instances;
      if (found.size < total)
        throw new ProviderError(
          'unreadable',
          `${name} lists ${found.size} machines and says it has ${total}.`,
        );
      return [...found.values()].map(machineOf);
    },

    async read(id: string): Promise<Machine | null> {
      const answer = await api.ask({ endpoint: 'GET instance', path: pathOf(id) });
      if (saysNoSuchInstance(answer)) return null;
      if (answer.status !== 200) throw failure(answer);
      const { instances } = parseAnswer(name, z.object({ instances: Instance.nullable() }), answer);
      if (instances && String(instances.id) !== id)
        throw new ProviderError('unreadable', `${name} was asked for ${id} and tells of ${instances.id}.`);
      return instances && machineOf(instances);
    },

    async terminate(id: string): Promise<void> {
      // A crash before the answer: it is asked for again, and answered with "no such instance".
      const answer = await api.ask({ endpoint: 'DELETE instance', path: pathOf(id) });
      if (saysNothingToDestroy(answer)) return;
      if (answer.status !== 200) throw failure(answer);
      const { success: isDone } = parseAnswer(name, z.object({ success: z.boolean() }), answer);
      if (!isDone)
        throw new ProviderError('refused', `${name} did not destroy ${id}: ${saidIn(answer)?.msg}`);
    },

    /** Whole days are summed up: the one that `since` falls into counts from its beginning (UTC). */
    async costs(since: Date): Promise<BilledCost[]> {
      const day = {
        gte: Math.floor(since.getTime() / 86_400_000) * 86_400,
        lte: Math.ceil(clock.nowMs() / 1000),
      };
      const pages = await api.getPages(ChargePage, {
        endpoint: 'GET charges',
        path: '/api/v0/charges/',
        query: { select_filters: { day, type: { in: ['instance'] } }, limit: mostPerPage.charges },
      });
      return pages
        .flatMap((page) => page.results)
        .map(({ source, amount }) => ({
          providerInstanceId: source.replace(/^instance-/, ''),
          microdollars: microdollars(amount),
        }));
    },
  };
}

function pathOf(id: string): string {
  return `/api/v0/instances/${encodeURIComponent(id)}/`;
}
