/** What may be typed while providers are simulated: things that go wrong there. */
import type { Call, Fault } from '../../tests/providers/simulator/faults.ts';
import type { Market } from '../../tests/providers/simulator/market.ts';

const calls: readonly string[] = ['offers', 'create', 'list', 'read', 'terminate', 'costs'] satisfies Call[];

export const help = `While it runs, type:
  fault CALL KIND [TIMES]   for the next calls of a kind; CALL: ${calls.join(', ')};
                            KIND: dropped, answer_lost, empty, partial, stale, never_appears, ignored, …
                            or JSON, such as {"kind":"answer","status":500,"body":"oops","done":true}
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
  if (command !== 'fault') throw new Error(`${command} is not known`);
  const call = words.shift();
  if (!call || !calls.includes(call)) throw new Error(`fault CALL …: one of ${calls.join(', ')}`);
  const times = /^\d+$/.test(words.at(-1) ?? '') ? Number(words.pop()) : 1;
  const text = words.join(' ');
  const fault = (text.startsWith('{') ? JSON.parse(text) : { kind: text }) as Fault;
  for (const market of markets) market.faults.add(call as Call, fault, times);
  return `the next ${times} calls of ${call} go wrong: ${JSON.stringify(fault)}`;
}
