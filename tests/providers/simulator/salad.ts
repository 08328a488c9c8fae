/**
 * SaladCloud, as its OpenAPI document and docs.salad.com have it: container groups that wait unbilled
 * for a node, that go on to another node when theirs is lost, and that stay, unbilled, when their
 * container has ended.
 */
import { type MarketMachine, type MarketOptions, openMarket } from './market.ts';
import {
  Creation,
  GpuAvailabilityPrototype,
  groupOf,
  instanceOf,
  organization,
  project,
  uuid,
} from './salad/group.ts';
import { defaultStock, gpuClassOf, type SaladOffer } from './salad/stock.ts';
import { accountKey, type SimAnswer, type SimRequest, type Simulator, startSimulator } from './server.ts';

export interface SaladSimulation
  extends Pick<MarketOptions, 'clock' | 'acceptMs' | 'pullMs' | 'startContainer'> {
  offers?: SaladOffer[];
  port?: number;
}

/** `ContainerGroupCollection.items`; there are no pages. */
const mostListed = 100;

const titles: Record<number, string> = {
  400: 'Bad Request',
  401: 'Unauthorized',
  404: 'Not Found',
  409: 'Conflict',
};
const problem = (status: number, detail: string): SimAnswer => ({
  status,
  body: { type: 'about:blank', title: titles[status], status, detail },
});

export async function startSalad(options: SaladSimulation = {}): Promise<Simulator> {
  const { offers = defaultStock(), port, ...rest } = options;
  const market = openMarket({
    ...rest,
    offers,
    onExit: 'end',
    keepsExited: true,
    onPreempt: 'move',
    billedFrom: 'running',
    // The name is all that a group is known by.
    newId: (_count, { label }) => label,
    inContainer: (machine) => ({
      SALAD_MACHINE_ID: uuid('machine', machine),
      SALAD_CONTAINER_GROUP_ID: uuid('group', machine),
    }),
  });
  const now = () => market.clock.nowMs();
  const find = (name: string) => {
    const machine = market.find(name);
    return machine && market.isThere(machine) ? machine : null;
  };
  const show = (machine: MarketMachine) =>
    groupOf(machine, offers.find((offer) => offer.id === machine.offerId)!, now());
  const noneSuch = problem(404, 'The container group could not be found.');

  function create({ body, fault }: SimRequest): SimAnswer {
    const parsed = Creation.safeParse(body);
    if (!parsed.success) {
      const issue = parsed.error.issues[0]!;
      return problem(400, `${issue.path.join('.')}: ${issue.message}`);
    }
    const { name, container } = parsed.data;
    if (market.machines.some((one) => one.label === name && market.isThere(one)))
      return problem(409, `A container group with the name ${name} already exists.`);
    const offer = offers.find(({ id }) => container.resources.gpu_classes.includes(id));
    if (!offer) return problem(400, 'container.resources.gpu_classes: unknown');
    const wanted = {
      offerId: offer.id,
      label: name,
      environment: container.environment_variables,
      request: parsed.data,
    };
    // The id is the name, which nobody else has.
    const carried = fault?.kind === 'id_reused' ? null : fault;
    return { status: 201, body: show(market.rent(wanted, carried) ?? waitFor(offer, wanted)) };
  }

  /** A group is made although no node is free, and waits for one that never comes. */
  function waitFor(offer: SaladOffer, wanted: Parameters<typeof market.rent>[0]): MarketMachine {
    offer.stock++;
    return market.rent(wanted, { kind: 'ailing', ailment: { kind: 'never_pulls' } })!;
  }

  const home = `/api/public/organizations/${organization}`;
  const groups = `${home}/projects/${project}/containers`;
  const at = (path: string) => new RegExp(`^${path}$`);

  return startSimulator({
    market,
    ...(port === undefined ? {} : { port }),
    notFound: problem(404, 'The organization or project could not be found.'),
    authorize: ({ headers }) =>
      headers['salad-api-key'] === accountKey ? null : problem(401, 'The API key is not valid.'),
    routes: [
      { method: 'POST', path: at(groups), call: 'create', handle: create },
      {
        method: 'GET',
        path: at(groups),
        call: 'list',
        handle: ({ fault }) => ({
          status: 200,
          body: { items: market.listed(fault).slice(0, mostListed).map(show) },
        }),
      },
      {
        method: 'GET',
        path: at(`${groups}/([^/]+)`),
        call: 'read',
        handle({ params }) {
          const machine = find(params[0]!);
          return machine ? { status: 200, body: show(machine) } : noneSuch;
        },
      },
      {
        method: 'DELETE',
        path: at(`${groups}/([^/]+)`),
        call: 'terminate',
        handle({ params, fault }) {
          if (!find(params[0]!)) return noneSuch;
          if (fault?.kind !== 'ignored') market.end(params[0]!);
          return { status: 202 };
        },
      },
      {
        method: 'GET',
        path: at(`${groups}/([^/]+)/instances`),
        call: null,
        handle({ params }) {
          const machine = find(params[0]!);
          if (!machine) return noneSuch;
          const instances = machine.endedAtMs === null ? [instanceOf(machine, now())] : [];
          return { status: 200, body: { instances } };
        },
      },
      {
        method: 'GET',
        path: at(`${home}/gpu-classes`),
        call: 'offers',
        handle: () => ({ status: 200, body: { items: offers.map(gpuClassOf) } }),
      },
      {
        method: 'POST',
        path: at(`${home}/availability/sce-gpu-availability`),
        call: 'offers',
        handle({ body }) {
          const parsed = GpuAvailabilityPrototype.safeParse(body);
          if (!parsed.success) return problem(400, parsed.error.issues[0]!.message);
          const stock = offers
            .filter(({ id }) => parsed.data.gpu_classes.includes(id))
            .reduce((sum, offer) => sum + offer.stock, 0);
          return {
            status: 200,
            body: { available_gpu_high: stock, available_gpu_batch: 2 * stock, on_call_gpu: 0 },
          };
        },
      },
    ],
  });
}
