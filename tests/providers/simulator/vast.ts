/**
 * Vast.ai as its OpenAPI document, its CLI and those who rented there tell of it: one contract an
 * ask, bids that are outbid and leave a stopped contract behind, a container that ends and is billed
 * for its storage, lists of 25, and errors that still have made something (facts: providers.md, 3).
 */
import { type MarketMachine, type MarketOptions, openMarket } from './market.ts';
import {
  accountKey,
  type SimAnswer,
  type SimRequest,
  type SimRoute,
  type Simulator,
  startSimulator,
} from './server.ts';
import { failed, noSuchInstance, ok, openThresholds, orInvalid, pageOf } from './vast/answers.ts';
import { chargesOf } from './vast/charges.ts';
import { matches } from './vast/filters.ts';
import { CreateInstance, diskPrice, instanceRow } from './vast/instances.ts';
import { defaultOffers, diskPerHour, searchOffers, type VastOffer } from './vast/offers.ts';

export interface VastSimulation
  extends Pick<MarketOptions, 'clock' | 'acceptMs' | 'pullMs' | 'startContainer'> {
  offers?: VastOffer[];
  port?: number;
  /** Answers 429 to what comes too soon. Not by itself, since a test's clock may stand still. */
  keepsThresholds?: boolean;
}

const mostPerPage = 25;

export async function startVast(options: VastSimulation = {}): Promise<Simulator> {
  const { offers = defaultOffers(), port, keepsThresholds = false, ...rest } = options;
  const offerOf = (machine: MarketMachine) => offers.find((offer) => offer.id === machine.offerId)!;
  const market = openMarket({
    ...rest,
    offers,
    onExit: 'stay',
    billedFrom: 'create',
    idlePricePerHour: (machine) => diskPrice(machine, offerOf(machine)),
    newId: (count) => String(20_000_000 + count),
    inContainer: (machine) => ({
      CONTAINER_ID: machine.id,
      CONTAINER_API_KEY: machine.containerKey,
      VAST_CONTAINERLABEL: `C.${machine.id}`,
      GPU_COUNT: String(offerOf(machine).facts.num_gpus),
      PUBLIC_IPADDR: '192.0.2.45',
      DATA_DIRECTORY: '/workspace/',
    }),
  });
  const nowMs = () => market.clock.nowMs();
  const show = (machine: MarketMachine) => instanceRow(machine, offerOf(machine), nowMs());
  const find = (id: string) => {
    const machine = market.find(id);
    return machine?.endedAtMs === null ? machine : null;
  };

  function search({ body }: SimRequest): SimAnswer {
    return orInvalid(() => {
      const found = searchOffers(offers, body as Record<string, unknown>);
      return found
        ? { status: 200, body: { offers: found } }
        : failed(400, 'invalid_request', 'Invalid offer type');
    });
  }

  function create({ params, body, fault }: SimRequest): SimAnswer {
    const ask_id = Number(params[0]);
    const parsed = CreateInstance.safeParse(body);
    if (!parsed.success)
      return failed(400, 'invalid_args', `error 400/3467: ${parsed.error.issues[0]!.message}`, { ask_id });
    const asked = parsed.data;
    const offer = offers.find(({ id }) => id === params[0]);
    const isBid = typeof asked.price === 'number';
    if (isBid && !(asked.price! >= 0.001 && asked.price! <= 128))
      return failed(400, 'invalid_price', 'Please set a bid price >= 0.001.', { ask_id });
    const isOutbid = isBid && offer !== undefined && asked.price! < offer.facts.min_bid;
    const gone = `no_such_ask Instance type ${ask_id} is no longer available.`;
    if (isOutbid && (asked.cancel_unavail ?? !isBid))
      return failed(410, 'no_such_ask', `error 410/3907: ${gone}`, { ask_id });
    const environment = Object.fromEntries(
      Object.entries(asked.env).filter(([name]) => !name.startsWith('-')),
    );
    const machine =
      offer && market.rent({ offerId: offer.id, label: asked.label ?? '', environment, request: {} }, fault);
    if (!machine)
      return failed(
        404,
        'invalid_args',
        `error 404/3603: no_such_ask Instance type by id ${ask_id} is not available.`,
        { ask_id },
      );
    machine.request = { ...asked, ...(fault?.kind === 'other_gpu' && { gpuGiven: fault.gpu }) };
    const dearer = machine.pricePerHour / offer.pricePerHour;
    machine.pricePerHour =
      ((isBid ? asked.price! : offer.pricePerHour) + diskPerHour(offer, asked.disk)) * dearer;
    const new_contract = Number(machine.id);
    if (isOutbid || asked.target_state === 'stopped') market.preempt(machine.id);
    if (isOutbid) return failed(400, 'invalid_price', 'The bid is too low to start now.', { new_contract });
    if (fault?.kind === 'failed_yet_made')
      return failed(fault.status, 'internal_error', 'Something went wrong.', { new_contract });
    return ok({ new_contract, instance_api_key: machine.containerKey });
  }

  function list({ query, fault }: SimRequest): SimAnswer {
    return orInvalid(() => {
      const limit = Number(query.get('limit') ?? mostPerPage);
      const filters = JSON.parse(query.get('select_filters') ?? '{}') as Record<string, unknown>;
      const columns = JSON.parse(query.get('select_cols') ?? '["*"]') as string[];
      const rows = market
        .listed(fault)
        .map(show)
        .filter((row) => matches(row, filters));
      const { page, next_token } = pageOf(
        rows,
        limit > 0 ? Math.min(limit, mostPerPage) : 5,
        query.get('after_token'),
      );
      const labels = Map.groupBy(rows, (row) => row.label ?? '');
      return ok({
        instances_found: page.length,
        // Nobody counts anew what a truncated list has lost.
        total_instances: fault?.kind === 'partial' ? market.alive().length : rows.length,
        label_counts: Object.fromEntries([...labels].map(([label, group]) => [label, group.length])),
        next_token,
        instances: columns.includes('*') ? page : page.map((row) => chosen(row, columns)),
      });
    });
  }

  function read({ params }: SimRequest): SimAnswer {
    const machine = find(params[0]!);
    return { status: 200, body: { instances: machine && show(machine) } };
  }

  function destroy({ params, fault }: SimRequest): SimAnswer {
    if (!find(params[0]!)) return noSuchInstance;
    if (fault?.kind !== 'ignored') market.end(params[0]!);
    return ok({});
  }

  function manage({ params, body }: SimRequest): SimAnswer {
    const machine = find(params[0]!);
    if (!machine) return noSuchInstance;
    const { state, label } = (body ?? {}) as { state?: string; label?: string };
    if (label !== undefined) machine.label = label;
    else if (state === 'stopped') market.preempt(machine.id);
    else if (state === 'running') market.resume(machine.id);
    else return failed(400, 'invalid_args', 'state or label is needed');
    return ok({});
  }

  function charges({ query }: SimRequest): SimAnswer {
    return orInvalid(() => chargesOf(market, offerOf, query));
  }

  const user = () => ({
    status: 200,
    body: { id: 4711, key_id: 1, email: 'tests@vast.invalid', balance: 25, ssh_key: '', sid: 'S1' },
  });

  const instance = /^\/api\/v0\/instances\/([^/]+)\/?$/;
  const routes: SimRoute[] = [
    { method: 'POST', path: /^\/api\/v0\/bundles\/?$/, call: 'offers', handle: search },
    { method: 'PUT', path: /^\/api\/v0\/asks\/([^/]+)\/?$/, call: 'create', handle: create },
    { method: 'GET', path: /^\/api\/v1\/instances\/?$/, call: 'list', handle: list },
    { method: 'GET', path: instance, call: 'read', handle: read },
    { method: 'DELETE', path: instance, call: 'terminate', handle: destroy },
    { method: 'PUT', path: instance, call: null, handle: manage },
    { method: 'GET', path: /^\/api\/v0\/charges\/?$/, call: 'costs', handle: charges },
    { method: 'GET', path: /^\/api\/v0\/users\/current\/?$/, call: null, handle: user },
  ];
  const isTooSoon = openThresholds(market.clock);

  return startSimulator({
    market,
    routes,
    ...(port === undefined ? {} : { port }),
    notFound: failed(404, 'not_found', 'The requested URL was not found on the server.'),
    authorize({ method, headers, query }, path) {
      const key = headers.authorization?.replace(/^Bearer /, '') ?? query.get('api_key');
      const refusal = keepsThresholds ? isTooSoon(method, path, key ?? '') : null;
      if (refusal) return refusal;
      // Anybody may look at what there is.
      if (key === accountKey || (key === null && path.startsWith('/api/v0/bundles'))) return null;
      const own = market.machines.find((machine) => machine.containerKey === key);
      // The key in a container is good for its own contract and for nothing else.
      if (own && instance.exec(path)?.[1] === own.id) return null;
      const status = /^\/api\/v0\/(bundles|charges)/.test(path) ? 404 : 401;
      return failed(status, 'auth_error', own ? 'This key may not do that.' : 'Invalid user key');
    },
  });
}

/** Those columns of a row; null for the unknown, as Vast does. */
function chosen(row: Record<string, unknown>, columns: string[]): Record<string, unknown> {
  return Object.fromEntries(columns.map((column) => [column, row[column] ?? null]));
}
