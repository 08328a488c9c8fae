/** The bill of the simulated Vast: `GET /api/v0/charges/`. */
import type { Market, MarketMachine } from '../market.ts';
import type { SimAnswer } from '../server.ts';
import { failed, ok, pageOf } from './answers.ts';
import { diskPrice } from './instances.ts';
import type { VastOffer } from './offers.ts';

const mostPerPage = 500;

/** Every contract that lived in the days asked for, with all that it cost. */
export function chargesOf(
  market: Market,
  offerOf: (machine: MarketMachine) => VastOffer,
  query: URLSearchParams,
): SimAnswer {
  const { day, type } = JSON.parse(query.get('select_filters') ?? '{}');
  if (typeof day?.gte !== 'number' || typeof day.lte !== 'number')
    return failed(400, 'invalid_args', "Must provide both 'day' gte and lte filters for instance charges");
  const rows = market.machines
    .map((machine) => chargeRow(machine, offerOf(machine), market))
    .filter((row) => row.end >= day.gte && row.start <= day.lte)
    .filter((row) => (type?.in ?? ['instance']).includes(row.type));
  const limit = Math.min(Number(query.get('limit') ?? 100), mostPerPage);
  const { page, next_token } = pageOf(rows, limit, query.get('after_token'));
  const results = page.map(({ id, ...row }) => row);
  return ok({ count: results.length, total: rows.length, next_token, results });
}

function chargeRow(machine: MarketMachine, offer: VastOffer, market: Market) {
  const endMs = machine.endedAtMs ?? market.clock.nowMs();
  const start = Math.floor(machine.createdAtMs / 1000);
  const end = Math.floor(endMs / 1000);
  const dollars = market.cost(machine);
  const disk = (diskPrice(machine, offer) * (endMs - machine.createdAtMs)) / 3_600_000;
  const item = (type: string, amount: number) => ({
    start,
    end,
    type,
    source: null,
    description: `${type} of ${machine.id}`,
    amount: rounded(amount),
    metadata: {},
    items: [],
  });
  return {
    id: Number(machine.id),
    start,
    end,
    type: 'instance',
    source: `instance-${machine.id}`,
    description: `Instance ${machine.id} Charges`,
    amount: rounded(dollars),
    metadata: machine.label ? { label: machine.label } : {},
    items: [item('gpu', dollars - disk), item('disk', disk)],
  };
}

/** Vast rounds to tenths of a cent. */
function rounded(dollars: number): number {
  return Math.round(dollars * 1000) / 1000;
}
