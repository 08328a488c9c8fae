/** Tells what happens to the machines of a simulated provider, one line for each change. */
import type { Market, MarketMachine, Phase } from '../../tests/providers/simulator/market.ts';

const lookMs = 100;

const words: Record<Phase, string> = {
  accepted: 'created',
  pulling: 'pulls its image',
  running: 'runs',
  exited: 'its program has ended',
  preempted: 'was taken away',
};

/** @returns what ends the watch. */
export function watchMarket(market: Market, say: (line: string) => void): () => void {
  const told = new Map<MarketMachine, string>();
  const timer = setInterval(() => {
    for (const machine of market.machines) {
      const state = machine.endedAtMs === null ? machine.phase : 'ended';
      if (told.get(machine) === state) continue;
      if (!told.has(machine))
        say(`${machine.id} ${words.accepted}: ${machine.label}, $${machine.pricePerHour.toFixed(3)} an hour`);
      if (state === 'ended') say(`${machine.id} ${bill(machine, market)}`);
      else if (state !== 'accepted') say(`${machine.id} ${words[state as Phase]}`);
      told.set(machine, state);
    }
  }, lookMs);
  return () => clearInterval(timer);
}

function bill(machine: MarketMachine, market: Market): string {
  const seconds = (machine.endedAtMs! - machine.createdAtMs) / 1000;
  return `ended after ${seconds.toFixed(1)} s, cost $${market.cost(machine).toFixed(5)}`;
}
