/** What may be typed while providers are simulated: things that go wrong there. */
import type { Call, Fault } from '../../tests/providers/simulator/faults.ts';
import type { Market } from '../../tests/providers/simulator/market.ts';

const calls: readonly string[] = ['offers', 'create', 'list', 'read', 'terminate', 'costs'] satisfies Call[];

/** Whether a name says it all; the others need figures and are given as JSON. */
const isPlain: Record<Fault['kind'], boolean> = {
  dropped: true,
  answer_lost: true,
  answer: false,
  slow: false,
  never_appears: true,
  appears_late: false,
  id_reused: true,
  dearer: false,
  other_gpu: false,
  ailing: false,
  empty: true,
  partial: true,
  stale: true,
  sold_out: true,
  failed_yet_made: false,
  ignored: true,
  denied: true,
};
const plainKinds = Object.keys(isPlain).filter((kind) => isPlain[kind as Fault['kind']]);

export const help = `While it runs, type:
  fault CALL KIND [TIMES]   for the next calls of a kind; CALL: ${calls.join(', ')};
                            KIND: ${plainKinds.slice(0, 5).join(', ')},
                            ${plainKinds.slice(5).join(', ')}, or JSON, such as
                            {"kind":"answer","status":500,"body":"oops","done":true}
  clear                     nothing goes wrong any more
  preempt                   takes a machine away
  stock N                   leaves so many of every offer`;

/** @returns what was done, in words. @throws Error that says what is wrong with it. */
export function carryOut(line: string, markets: readonly Market[]): string {
  const [command, ...words] = line.trim().split(/\s+/);
  if (command === 'preempt') {
    const machine = markets.flatMap((market) => market.alive().map(({ id }) => ({ market, id })))[0];
    if (!machine) return 'there is no machine';
    machine.market.preempt(machine.id);
    return `${machine.id} is taken away`;
  }
  if (command === 'stock') {
    const stock = Number(words[0]);
    if (!Number.isInteger(stock) || stock < 0) throw new Error('stock N: how many?');
    for (const offer of markets.flatMap(({ offers }) => offers)) offer.stock = stock;
    return `${stock} left of each offer`;
  }
  if (command === 'clear') {
    for (const { faults } of markets) faults.clear();
    return 'nothing goes wrong any more';
  }
  if (command !== 'fault') throw new Error(`${command} is not known`);
  const call = words.shift();
  if (!call || !calls.includes(call)) throw new Error(`fault CALL …: one of ${calls.join(', ')}`);
  const times = /^\d+$/.test(words.at(-1) ?? '') ? Number(words.pop()) : 1;
  const text = words.join(' ');
  const fault = faultOf(text);
  for (const market of markets) market.faults.add(call as Call, fault, times);
  return `the next ${times} calls of ${call} go wrong: ${JSON.stringify(fault)}`;
}

function faultOf(text: string): Fault {
  const isJson = text.startsWith('{');
  const fault = (isJson ? JSON.parse(text) : { kind: text }) as Fault;
  if (!Object.hasOwn(isPlain, fault.kind)) throw new Error(`there is no fault ${fault.kind}`);
  if (!isJson && !isPlain[fault.kind]) throw new Error(`${fault.kind} needs more: give it as JSON`);
  return fault;
}
