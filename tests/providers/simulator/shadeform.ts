/**
 * Shadeform, as its own description has it (github.com/shadeform/shadeform-cli) and as people met it:
 * `active` while the image is still pulled, 409 where nothing is in stock, deleted instances that are
 * shown nowhere. It carries `auto_delete` out, on the day and at the amount.
 */
import { z } from 'zod';
import { type MarketMachine, type MarketOptions, openMarket } from './market.ts';
import { accountKey, type SimAnswer, type SimRequest, type Simulator, startSimulator } from './server.ts';
import { type AutoDelete, CreateRequest, instanceOf } from './shadeform/instance.ts';
import { defaultStock, instanceTypes, type ShadeformOffer } from './shadeform/stock.ts';

export interface ShadeformSimulation
  extends Pick<MarketOptions, 'clock' | 'acceptMs' | 'pullMs' | 'startContainer'> {
  offers?: ShadeformOffer[];
  port?: number;
  /** From the delete until it is deleted. */
  deletingMs?: number;
}

const failure = (status: number, error_code: string, error: string): SimAnswer => ({
  status,
  body: { error_code, error },
});

export async function startShadeform(options: ShadeformSimulation = {}): Promise<Simulator> {
  const { offers = defaultStock(), port, deletingMs = 0, ...rest } = options;
  const market = openMarket({
    ...rest,
    offers,
    // Nobody starts a container again, and its machine is billed on.
    onExit: 'stay',
    billedFrom: 'create',
    newId: (count) => `d290f1ee-6c54-4b01-90e6-${String(count).padStart(12, '0')}`,
  });
  const { clock } = market;
  const show = (machine: MarketMachine) =>
    instanceOf(machine, offers.find((offer) => offer.id === machine.offerId)!, market.cost(machine));
  const isDeleting = ({ endedAtMs }: MarketMachine) =>
    endedAtMs !== null && clock.nowMs() < endedAtMs + deletingMs;
  const find = (id: string) => {
    const machine = market.find(id);
    return machine && (machine.endedAtMs === null || isDeleting(machine)) ? machine : null;
  };

  /** Deletes it when the first of both is reached. */
  function autoDelete(machine: MarketMachine, { date_threshold, spend_threshold }: AutoDelete): void {
    const end = () => market.end(machine.id);
    if (date_threshold) market.later(Math.max(0, Date.parse(date_threshold) - clock.nowMs()), end);
    if (spend_threshold)
      market.later(Math.ceil((Number(spend_threshold) / machine.pricePerHour) * 3_600_000), end);
  }

  function create({ body, fault }: SimRequest): SimAnswer {
    const parsed = CreateRequest.safeParse(body);
    if (!parsed.success) return failure(400, 'INVALID_REQUEST', z.prettifyError(parsed.error));
    const asked = parsed.data;
    const { cloud, region, shade_instance_type, rental_type } = asked;
    const offer = offers.find(
      ({ facts }) =>
        facts.cloud === cloud &&
        facts.region === region &&
        facts.shade_instance_type === shade_instance_type &&
        facts.rental_type === rental_type,
    );
    if (!offer || (asked.os && !offer.facts.configuration.os_options.includes(asked.os)))
      return failure(400, 'INVALID_REQUEST', `There is no ${shade_instance_type} in ${region}.`);
    const machine = market.rent(
      {
        offerId: offer.id,
        label: asked.name,
        environment: Object.fromEntries(
          asked.launch_configuration?.docker_configuration.envs.map(({ name, value }) => [name, value]) ?? [],
        ),
        request: fault?.kind === 'other_gpu' ? { ...asked, shade_instance_type: fault.gpu } : asked,
      },
      fault,
    );
    if (!machine) {
      const error = `The instance type [${shade_instance_type}] is not available in the region [${region}]`;
      return failure(409, 'OUT_OF_STOCK', error);
    }
    if (asked.auto_delete) autoDelete(machine, asked.auto_delete);
    return { status: 200, body: { id: machine.id } };
  }

  const noneSuch = failure(404, 'NOT_FOUND', 'The instance does not exist.');

  return startSimulator({
    market,
    ...(port === undefined ? {} : { port }),
    notFound: failure(404, 'NOT_FOUND', 'There is no such route.'),
    authorize: ({ headers }) =>
      headers['x-api-key'] === accountKey ? null : failure(401, 'UNAUTHORIZED', 'Invalid API key.'),
    routes: [
      {
        method: 'GET',
        path: /^\/v1\/instances$/,
        call: 'list',
        handle: ({ fault }) => ({
          status: 200,
          body: { instances: [...market.listed(fault), ...market.machines.filter(isDeleting)].map(show) },
        }),
      },
      {
        method: 'GET',
        path: /^\/v1\/instances\/types$/,
        call: 'offers',
        handle: ({ query }) => ({ status: 200, body: { instance_types: instanceTypes(offers, query) } }),
      },
      { method: 'POST', path: /^\/v1\/instances\/create$/, call: 'create', handle: create },
      {
        method: 'GET',
        path: /^\/v1\/instances\/([^/]+)\/info$/,
        call: 'read',
        handle({ params }) {
          const machine = find(params[0]!);
          if (!machine) return noneSuch;
          const { auto_delete } = machine.request as Partial<CreateRequest>;
          return { status: 200, body: { ...show(machine), auto_delete } };
        },
      },
      {
        method: 'POST',
        path: /^\/v1\/instances\/([^/]+)\/delete$/,
        call: 'terminate',
        handle({ params, fault }) {
          if (!find(params[0]!)) return noneSuch;
          if (fault?.kind !== 'ignored') market.end(params[0]!);
          return { status: 200 };
        },
      },
    ],
  });
}
