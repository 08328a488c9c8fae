/**
 * Every fault of the two lists (facts: peers.md 4.4; providers.md, table 5) that a provider, a
 * machine or our own surroundings can have. Each is tried against each provider it can happen at.
 */
import type { Ailment, Call, Fault } from '../providers/simulator/faults.ts';
import type { Stage } from './stage.ts';

export interface Trial {
  name: string;
  /** How many faults it injects itself, beside those that the simulator counts. */
  injects?: number;
  /** Before the job is submitted. */
  before?(stage: Stage): Promise<void> | void;
  /** While it runs: called after every step of time, with how long it has run. */
  during?(stage: Stage, elapsedMs: number): Promise<void> | void;
  /** When it is over, so that the next begins clean. */
  after?(stage: Stage): Promise<void> | void;
  /** It cannot be told apart at a provider without a list. */
  needsList?: boolean;
  /** Other people's machines must not take the only GPU there is. */
  needsRoom?: boolean;
}

const html = '<html><body>503 Service Temporarily Unavailable</body></html>';

function fault(name: string, call: Call, what: Fault, times = 1): Trial {
  return {
    name: `${call}: ${name}`,
    before: (stage) => stage.simulator.market.faults.add(call, what, times),
    after: (stage) => stage.simulator.market.faults.clear(),
    ...(call === 'list' ? { needsList: true } : {}),
  };
}

const answer = (status: number, body: string, done: boolean, headers?: Record<string, string>): Fault => ({
  kind: 'answer',
  status,
  body,
  done,
  ...(headers ? { headers } : {}),
});

const creates: Trial[] = [
  fault('answer lost after accept', 'create', { kind: 'answer_lost' }),
  fault('connection broken before accept', 'create', { kind: 'dropped' }),
  fault('500 but created', 'create', answer(500, 'Internal Server Error', true)),
  fault('502 page but created', 'create', answer(502, html, true)),
  fault('200 in an unknown shape, created', 'create', answer(200, '{"ok":true}', true)),
  fault('200 but never appears', 'create', { kind: 'never_appears' }),
  fault('answer lost and appears late', 'create', { kind: 'appears_late', ms: 90_000 }),
  fault('504 and not created', 'create', answer(504, '', false)),
  fault(
    'quota: payment required',
    'create',
    answer(
      402,
      '{"title":"Payment Required","status":402,"detail":"balance too low","error":"insufficient_credit","msg":"balance too low","success":false}',
      false,
    ),
  ),
  fault('429 without Retry-After', 'create', answer(429, 'API requests too frequent', false)),
  fault('slow beyond every patience', 'create', { kind: 'slow', ms: 2_000 }),
  fault('id reused', 'create', { kind: 'id_reused' }),
  fault('three answers lost in a row', 'create', { kind: 'answer_lost' }, 3),
  {
    name: 'create: offer gone between look and create',
    injects: 1,
    before(stage) {
      stage.simulator.market.faults.add('create', { kind: 'sold_out' });
    },
    after: (stage) => stage.simulator.market.faults.clear(),
  },
  fault('dearer than offered', 'create', { kind: 'dearer', factor: 3 }),
];

const lists: Trial[] = [
  fault('empty', 'list', { kind: 'empty' }, 3),
  fault('partial', 'list', { kind: 'partial' }, 3),
  fault('stale', 'list', { kind: 'stale' }, 2),
  fault('HTML', 'list', answer(200, html, false), 3),
  fault('a string', 'list', answer(200, '"ok"', false), 3),
  fault('410, version retired', 'list', answer(410, '{"error":"retired"}', false), 3),
  fault('429 without Retry-After', 'list', answer(429, 'too many requests', false), 3),
  fault('401, key revoked', 'list', answer(401, '{"error":"unauthorized"}', false), 3),
  fault('connection broken', 'list', { kind: 'dropped' }, 3),
  {
    name: 'list: other people’s machines in the account',
    injects: 1,
    needsList: true,
    needsRoom: true,
    before({ simulator: { market } }) {
      const offer = market.offers[0]!;
      offer.stock += 3;
      for (const label of ['production-db', 'aima-friend-01h', `aima-strngr-${'0'.repeat(26)}`])
        market.rent({ offerId: offer.id, label, environment: {}, request: {} }, null);
    },
    after({ simulator: { market } }) {
      const others = market.alive().filter((one) => /^production|friend|strngr/.test(one.label));
      if (others.length !== 3) throw new Error('somebody else’s machine was ended');
      for (const one of others) market.end(one.id);
    },
  },
];

const reads: Trial[] = [
  fault('500', 'read', answer(500, 'oops', false), 3),
  fault('404 from a proxy', 'read', answer(404, html, false), 3),
  fault('401, key revoked', 'read', answer(401, '{"error":"unauthorized"}', false), 3),
  fault('connection broken', 'read', { kind: 'dropped' }, 3),
];

const terminates: Trial[] = [
  fault('500', 'terminate', answer(500, 'oops', false), 4),
  fault('404 though running', 'terminate', { kind: 'denied' }),
  fault('200 though running', 'terminate', { kind: 'ignored' }, 3),
  fault('try again in 60 s', 'terminate', answer(429, 'busy', false, { 'retry-after': '60' }), 2),
  fault('answer lost', 'terminate', { kind: 'answer_lost' }, 2),
  fault('connection broken', 'terminate', { kind: 'dropped' }, 4),
  fault('401, key revoked', 'terminate', answer(401, '{"error":"unauthorized"}', false), 4),
  fault('refused while provisioning', 'terminate', answer(409, '{"error":"provisioning"}', false), 3),
];

const ailments: [name: string, ailment: Ailment][] = [
  ['never pulls', { kind: 'never_pulls' }],
  ['crash loop', { kind: 'crash_loop' }],
  ['boots without GPU', { kind: 'no_gpu' }],
  ['hangs in model load', { kind: 'hangs_in_load' }],
  ['loses network in the middle', { kind: 'loses_network', afterMs: 12_000 }],
  ['disk full', { kind: 'disk_full' }],
  ['preempted while booting', { kind: 'preempted', afterMs: 5_000 }],
  ['preempted in the middle of the work', { kind: 'preempted', afterMs: 50_000 }],
];

const workers = ailments.map(([name, ailment]) => fault(name, 'create', { kind: 'ailing', ailment }));

/** Does something once, as soon as a worker has saved some of the job. */
function inTheMiddle(
  name: string,
  act: (stage: Stage) => Promise<void> | void,
  after?: Trial['after'],
): Trial {
  let isDone = false;
  return {
    name,
    injects: 1,
    before: () => {
      isDone = false;
    },
    async during(stage) {
      if (isDone) return;
      const [begun] = await stage.sql`select from parts limit 1`;
      if (!begun) return;
      isDone = true;
      await act(stage);
    },
    ...(after ? { after } : {}),
  };
}

const controls = (): Trial[] => [
  inTheMiddle('database restarted', (stage) => stage.restartPostgres()),
  inTheMiddle(
    'broker away',
    (stage) => stage.stopBroker(),
    (stage) => stage.startBroker(),
  ),
  inTheMiddle('clock jumps two hours ahead', (stage) => stage.pass(2 * 3_600_000)),
  inTheMiddle(
    'key revoked in the middle of the job',
    ({ simulator: { market } }) => {
      for (const call of ['list', 'read', 'terminate'] as const)
        market.faults.add(call, answer(401, '{"error":"unauthorized"}', false), 6);
    },
    (stage) => stage.simulator.market.faults.clear(),
  ),
  inTheMiddle('a worker restarted by its provider', ({ simulator: { market } }) => {
    for (const machine of market.alive()) market.restart(machine.id);
  }),
  {
    name: 'every bell lost: only sweeps',
    injects: 1,
    before: (stage) => {
      stage.isDeaf = true;
    },
    after: (stage) => {
      stage.isDeaf = false;
    },
  },
  {
    name: 'object store away for two minutes',
    injects: 1,
    before: (stage) => {
      stage.isStoreThere = false;
    },
    during: (stage, elapsedMs) => {
      if (elapsedMs > 120_000) stage.isStoreThere = true;
    },
    after: (stage) => {
      stage.isStoreThere = true;
    },
  },
  {
    ...inTheMiddle('ledger restored from before the rent', async ({ sql }) => {
      await sql.begin(async (tx) => {
        await tx`update jobs set state = 'queued', instance_id = null where instance_id is not null`;
        await tx`delete from charges`;
        await tx`delete from instances where state <> 'terminated'`;
        await tx`update providers set next_look_at = now()`;
      });
    }),
    needsList: true,
  },
];

/** All of them, anew for each run: some remember what they have done. */
export function allTrials(): Trial[] {
  return [...creates, ...lists, ...reads, ...terminates, ...workers, ...controls()];
}
