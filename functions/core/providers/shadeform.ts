/**
 * Shadeform: one API in front of many clouds, and `auto_delete`, which ends a machine on a day or at
 * an amount although nobody asks any more. A container that ends leaves its machine billed, and no
 * key is good for one machine alone, so that switch is all that stands behind us there: whether it
 * was set is read back after each create.
 *
 * The maker's own description of the API is that of its CLI (github.com/shadeform/shadeform-cli,
 * .speakeasy/out.openapi.yaml); it says nothing of errors, which are as their users met them.
 */
import type { z } from 'zod';
import type { Config } from '../config.ts';
import {
  askProvider,
  failureOf,
  microdollars,
  type ProviderAnswer,
  type ProviderRequest,
  parseAnswer,
} from './http.ts';
import {
  type BilledCost,
  type CreateOutcome,
  type CreateRequest,
  type Machine,
  type Offer,
  type Provider,
  ProviderError,
} from './provider.ts';
import {
  Created,
  faultOf,
  Instance,
  Instances,
  machineOf,
  priceOf,
  refusalOf,
} from './shadeform/instances.ts';
import { choiceOf, InstanceTypes, offersOf } from './shadeform/offers.ts';

const name = 'shadeform';

export interface ShadeformOptions {
  /** Without `/v1`. */
  url: string;
  apiKey: string;
  /** The container image. */
  image: string;
  diskGb: number;
  /** For one answer. */
  timeoutMs?: number;
}

/** @throws Error that names what the configuration lacks. */
export function openShadeform(config: Config): Provider {
  const image = config.AIMA_WORKER_IMAGE;
  if (!image) throw new Error(`AIMA_WORKER_IMAGE: ${name} needs the image that its machines run.`);
  return shadeform({
    url: config.AIMA_SHADEFORM_URL,
    apiKey: config.secret('shadeform-api-key'),
    image,
    diskGb: config.AIMA_DISK_GB,
  });
}

export function shadeform(options: ShadeformOptions): Provider {
  const { apiKey, image, diskGb, timeoutMs = 30_000 } = options;
  const url = options.url.replace(/\/+$/, '');

  const ask = (method: ProviderRequest['method'], path: string, body?: unknown): Promise<ProviderAnswer> =>
    askProvider(name, {
      method,
      url: new URL(`${url}/v1/instances${path}`),
      headers: { 'x-api-key': apiKey },
      body,
      timeoutMs,
    });
  const get = async <T>(path: string, schema: z.ZodType<T>): Promise<T> => {
    const answer = await ask('GET', path);
    if (answer.status !== 200) throw failureOf(name, answer);
    return parseAnswer(name, schema, answer);
  };
  const list = async () => (await get('', Instances)).instances;

  /** What will be billed and whether it will end by itself is only told by a look at what was made. */
  async function outcomeOf(id: string, request: CreateRequest): Promise<CreateOutcome> {
    const created = { kind: 'created', providerInstanceId: id } as const;
    // A look that fails is no news: reads lag behind creates, and the switch was sent with the request.
    const instance = await get(`/${id}/info`, Instance).catch(() => null);
    if (!instance) return { ...created, priceMicrodollarsPerHour: request.offer.priceMicrodollarsPerHour };
    const detail = faultOf(instance, request);
    if (detail !== null) return { kind: 'broken', providerInstanceId: id, detail };
    const price = priceOf(instance) ?? request.offer.priceMicrodollarsPerHour;
    return { ...created, priceMicrodollarsPerHour: price };
  }

  return {
    name,
    deadMansSwitch: 'auto_delete',
    isListed: true,
    isRemote: true,
    // The create and the look at what it made.
    createTimeoutMs: 2 * timeoutMs,
    // Not documented; creates are carried out later than they are answered.
    listLagMs: 120_000,

    async offers(): Promise<Offer[]> {
      const { instance_types } = await get('/types?available=true&num_gpus=1&sort=price', InstanceTypes);
      return instance_types.flatMap((type) => offersOf(type, diskGb));
    },

    async create(request: CreateRequest): Promise<CreateOutcome> {
      const environment = { ...request.environment, AIMA_PROVIDER: name };
      const answer = await ask('POST', '/create', {
        ...choiceOf(request.offer.offerId),
        // Shadeform's own accounts at the clouds, not ours.
        shade_cloud: true,
        name: request.label,
        launch_configuration: {
          type: 'docker',
          docker_configuration: {
            image,
            envs: Object.entries(environment).map(([name, value]) => ({ name, value })),
          },
        },
        auto_delete: {
          date_threshold: request.deadlineAt.toISOString(),
          // Dollars; the next cent, as less would end a lease within its limit.
          spend_threshold: (Math.ceil(request.maxCostMicrodollars / 10_000) / 100).toFixed(2),
        },
      });
      // A crash here leaves an instance that only its name, our label, tells of.
      if (answer.status !== 200) return refusalOf(answer);
      return outcomeOf(parseAnswer(name, Created, answer).id, request);
    },

    list: async (): Promise<Machine[]> => (await list()).map(machineOf).filter((machine) => machine !== null),

    async read(id: string): Promise<Machine | null> {
      const answer = await ask('GET', `/${encodeURIComponent(id)}/info`);
      if (answer.status === 200) return machineOf(parseAnswer(name, Instance, answer));
      if (answer.status !== 404) throw failureOf(name, answer);
      // What its own 404 looks like is not documented, and a wrong address has one too: the list must agree.
      if ((await list()).some((instance) => instance.id === id))
        throw new ProviderError('unreadable', `${name} lists ${id}, and says that there is none such.`);
      return null;
    },

    async terminate(id: string): Promise<void> {
      // A crash before the answer: it is asked for again, and answered with 404, which `read` judges.
      const answer = await ask('POST', `/${encodeURIComponent(id)}/delete`);
      if (answer.status !== 200 && answer.status !== 404) throw failureOf(name, answer);
    },

    /** What each machine cost since it was made; of those that are deleted nothing is told any more. */
    async costs(): Promise<BilledCost[]> {
      return (await list()).flatMap(({ id, cost_estimate }) => {
        const dollars = Number.parseFloat(cost_estimate);
        return Number.isFinite(dollars)
          ? [{ providerInstanceId: id, microdollars: microdollars(dollars) }]
          : [];
      });
    },
  };
}
