/**
 * SaladCloud: other people's gaming machines, by the second and only while the container runs; what
 * a node downloads and unpacks is not billed (docs.salad.com, Billing). A machine is a container
 * group of one replica that is never started again, so a worker that exits ends its bill by itself.
 * The group's name, our label, is unique and stands in its URL: it is the machine's id.
 *
 * A group that has ended is not billed and stays until it is deleted, with its name and its share of
 * the quota. So only a deleted one is gone.
 */
import type { z } from 'zod';
import type { Config } from '../config.ts';
import { askProvider, failureOf, type ProviderAnswer, type ProviderRequest, parseAnswer } from './http.ts';
import {
  type CreateOutcome,
  type CreateRequest,
  type Machine,
  type Offer,
  type Provider,
  ProviderError,
} from './provider.ts';
import {
  ContainerGroup,
  ContainerGroups,
  environmentFault,
  machineOf,
  mostListed,
  refusalOf,
} from './salad/groups.ts';
import { freeNodes, GpuAvailability, GpuClasses, offerOf, priority, resources } from './salad/offers.ts';

const name = 'salad';

export interface SaladOptions {
  /** Without `/api/public`. */
  url: string;
  apiKey: string;
  organization: string;
  /** One that AIMA has for itself: see `mostListed`. */
  project: string;
  /** The container image. */
  image: string;
  diskGb: number;
  /** For one answer. */
  timeoutMs?: number;
}

/** @throws Error that names what the configuration lacks. */
export function openSalad(config: Config): Provider {
  const { AIMA_WORKER_IMAGE, AIMA_SALAD_ORGANIZATION, AIMA_SALAD_PROJECT } = config;
  const needed = { AIMA_WORKER_IMAGE, AIMA_SALAD_ORGANIZATION, AIMA_SALAD_PROJECT };
  const missing = Object.entries(needed).flatMap(([variable, value]) => (value ? [] : [variable]));
  if (missing.length > 0) throw new Error(`The provider ${name} needs ${missing.join(', ')}.`);
  return salad({
    url: config.AIMA_SALAD_URL,
    apiKey: config.secret('salad-api-key'),
    organization: AIMA_SALAD_ORGANIZATION!,
    project: AIMA_SALAD_PROJECT!,
    image: AIMA_WORKER_IMAGE!,
    diskGb: config.AIMA_DISK_GB,
  });
}

export function salad(options: SaladOptions): Provider {
  const { apiKey, image, diskGb, timeoutMs = 30_000 } = options;
  const organization = `/organizations/${encodeURIComponent(options.organization)}`;
  const groups = `${organization}/projects/${encodeURIComponent(options.project)}/containers`;
  const base = `${options.url.replace(/\/+$/, '')}/api/public`;

  const ask = (method: ProviderRequest['method'], path: string, body?: unknown): Promise<ProviderAnswer> =>
    askProvider(name, {
      method,
      url: new URL(base + path),
      headers: { 'salad-api-key': apiKey },
      body,
      timeoutMs,
    });
  const askFor = async <T>(
    schema: z.ZodType<T>,
    ...[method, path, body]: Parameters<typeof ask>
  ): Promise<T> => {
    const answer = await ask(method, path, body);
    if (answer.status !== 200) throw failureOf(name, answer);
    return parseAnswer(name, schema, answer);
  };

  /** An estimate of the nodes that are free for one class now; null where it is not told. */
  const freeOf = async (gpuClass: string): Promise<number | null> =>
    freeNodes(
      await askFor(GpuAvailability, 'POST', `${organization}/availability/sce-gpu-availability`, {
        ...resources(diskGb),
        gpu_classes: [gpuClass],
      }),
    );

  async function list(): Promise<Machine[]> {
    const { items } = await askFor(ContainerGroups, 'GET', groups);
    if (items.length >= mostListed)
      throw new ProviderError(
        'unreadable',
        `${name} lists ${items.length} container groups in ${options.project} and may have cut the list there: AIMA needs a project for itself.`,
      );
    return items.map(machineOf);
  }

  async function read(id: string): Promise<Machine | null> {
    const answer = await ask('GET', `${groups}/${encodeURIComponent(id)}`);
    if (answer.status === 200) return machineOf(parseAnswer(name, ContainerGroup, answer));
    if (answer.status !== 404) throw failureOf(name, answer);
    // A project that was renamed has the same 404 for all its groups: the list must agree.
    if ((await list()).some((machine) => machine.providerInstanceId === id))
      throw new ProviderError('unreadable', `${name} lists ${id}, and says that there is none such.`);
    return null;
  }

  return {
    name,
    deadMansSwitch: 'exit_ends_billing',
    isListed: true,
    isRemote: true,
    // What is free, the create, and two looks at whether it is there already.
    createTimeoutMs: 4 * timeoutMs,
    // Not documented; a group can be read by its name, so nothing has to be searched for long.
    listLagMs: 60_000,

    async offers(): Promise<Offer[]> {
      const { items } = await askFor(GpuClasses, 'GET', `${organization}/gpu-classes`);
      const offers = items.map((gpuClass) => offerOf(gpuClass, diskGb)).filter((offer) => offer !== null);
      // One call for each class: some 30 of the 240 that a key may make in a minute.
      const free = await Promise.all(offers.map((offer) => freeOf(offer.offerId)));
      return offers.map((offer, index) => ({ ...offer, available: free[index] ?? 1 }));
    },

    async create({ label, offer, environment }: CreateRequest): Promise<CreateOutcome> {
      const created = {
        kind: 'created',
        providerInstanceId: label,
        priceMicrodollarsPerHour: offer.priceMicrodollarsPerHour,
      } as const;
      const environment_variables = { ...environment, AIMA_PROVIDER: name };
      const fault = environmentFault(environment_variables);
      if (fault !== null) return { kind: 'refused', why: 'invalid', detail: fault };
      // A group is made although no node is free, and would wait for one while other offers are there.
      // Where the estimate cannot be had, the create itself tells what is wrong.
      if ((await freeOf(offer.offerId).catch(() => null)) === 0)
        return { kind: 'refused', why: 'no_capacity', detail: `No ${offer.gpu} is free.` };
      const answer = await ask('POST', groups, {
        name: label,
        container: {
          image,
          environment_variables,
          priority,
          resources: { ...resources(diskGb), gpu_classes: [offer.offerId] },
        },
        replicas: 1,
        restart_policy: 'never',
        autostart_policy: true,
      });
      // A crash here leaves a group whose name is our label.
      if (answer.status === 201) {
        const group = parseAnswer(name, ContainerGroup, answer);
        return group.restart_policy === 'never'
          ? created
          : {
              kind: 'broken',
              providerInstanceId: label,
              detail: 'It would start its container again for ever.',
            };
      }
      // Which of the two a name has that is taken is not documented. It is ours alone: then it was we.
      if ((answer.status === 400 || answer.status === 409) && (await read(label))) return created;
      return refusalOf(answer);
    },

    list,
    read,

    async terminate(id: string): Promise<void> {
      // A crash before the answer: it is asked for again, and answered with 404, which `read` judges.
      const answer = await ask('DELETE', `${groups}/${encodeURIComponent(id)}`);
      if (answer.status !== 202 && answer.status !== 404) throw failureOf(name, answer);
    },

    // Nothing in the API tells what was billed; the portal alone does.
    costs: async () => [],
  };
}
