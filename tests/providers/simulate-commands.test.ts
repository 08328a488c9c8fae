import { describe, expect, it, onTestFinished } from 'vitest';
import { carryOut, help } from '../../scripts/simulate/commands.ts';
import { startRunpodPods } from './simulator/runpod-pods.ts';

async function start() {
  const simulator = await startRunpodPods();
  onTestFinished(() => simulator.close());
  const { market } = simulator;
  return { faults: market.faults, market, type: (line: string) => carryOut(line, [market]) };
}

describe('what is typed while providers are simulated', () => {
  it('makes the next calls go wrong, and right again', async () => {
    const { faults, type } = await start();
    type('fault create answer_lost 2');
    type('fault terminate {"kind":"answer","status":500,"body":"no","done":false} 3');
    expect(faults.waiting).toBe(5);
    expect(faults.take('create')).toEqual({ kind: 'answer_lost' });
    type('clear');
    expect(faults.waiting).toBe(0);
  });

  it.each([
    ['fault create lost_answer', /no fault lost_answer/],
    ['fault create {"kind":"toString"}', /no fault toString/],
    ['fault create dearer', /dearer needs more/],
    ['fault rent dropped', /one of offers, create/],
    ['fault create {', /JSON/],
    ['stock some', /how many/],
    ['faults', /faults is not known/],
  ])('is refused where it would do nothing: %s', async (line, why) => {
    const { faults, type } = await start();
    expect(() => type(line)).toThrow(why);
    expect(faults.waiting).toBe(0);
  });

  it('takes stock away', async () => {
    const { market, type } = await start();
    expect(type('stock 0')).toMatch(/^0 left/);
    expect(market.offers.every(({ stock }) => stock === 0)).toBe(true);
  });

  it('takes a machine away', async () => {
    const { market, type } = await start();
    expect(type('preempt')).toBe('there is no machine');
    const offerId = market.offers[0]!.id;
    const machine = market.rent({ offerId, label: 'one', environment: {}, request: {} }, null);
    type('preempt');
    expect(machine!.phase).toBe('preempted');
  });

  it('is explained with faults that are taken', async () => {
    const { faults, type } = await start();
    const kinds = help.match(/KIND: ([\s\S]*?), or JSON/)![1]!.split(/,\s+/);
    for (const kind of kinds) type(`fault create ${kind}`);
    expect(faults.waiting).toBe(kinds.length);
  });
});
