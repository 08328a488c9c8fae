/**
 * What all simulated providers have in common: offers with stock and prices, machines that boot,
 * run, cost and end, on a clock that may be a manual one. A simulator beside this file puts one
 * provider's HTTP API in front of it. Nothing here knows of AIMA: it is the other side.
 */
import { type Clock, realClock } from './clock.ts';
import { type Ailment, type Fault, type Faults, faultSwitch } from './faults.ts';

export interface MarketOffer {
  id: string;
  stock: number;
  pricePerHour: number; // dollars
  /** Whatever else the provider's API tells of an offer. */
  facts: Record<string, unknown>;
}

export type Phase = 'accepted' | 'pulling' | 'running' | 'exited' | 'preempted';

export interface MarketMachine {
  id: string;
  label: string;
  offerId: string;
  /** The environment that its container was given. */
  environment: Record<string, string>;
  /** What else the request said. */
  request: unknown;
  phase: Phase;
  pricePerHour: number; // dollars
  createdAtMs: number;
  runningAtMs: number | null;
  /** When the provider stopped billing; null while it does. */
  endedAtMs: number | null;
  ailment: Ailment | null;
  /** Key that is only good inside this machine, and only for it. */
  containerKey: string;
  container: Container | null;
}

/** What runs in a machine: the real worker program, or a script that speaks its protocol. */
export interface Container {
  /** SIGKILL, as providers do. */
  kill(): void;
  /** Resolves when it ended by itself or was killed. */
  ended: Promise<void>;
}
export type StartContainer = (machine: MarketMachine, market: Market) => Container;

export interface MarketOptions {
  clock?: Clock;
  offers: MarketOffer[];
  /** From create until pulling begins, and from there until the container runs. */
  acceptMs?: number;
  pullMs?: number;
  /** What an ended container means: RunPod starts it again and bills on, Salad stops billing. */
  onExit: 'restart' | 'stay' | 'end';
  billedFrom: 'create' | 'running';
  startContainer?: StartContainer;
  newId(count: number): string;
}

export interface Market {
  readonly clock: Clock;
  readonly offers: MarketOffer[];
  readonly faults: Faults;
  /** All there ever were, by id; what ended has `endedAtMs`. */
  readonly machines: MarketMachine[];
  /** Machines that are billed now. */
  alive(): MarketMachine[];
  /** @returns null where the offer is unknown or has no stock left. The fault is the one taken for this create. */
  rent(request: RentRequest, fault: Fault | null): MarketMachine | null;
  /** What a list shows now. */
  listed(fault: Fault | null): MarketMachine[];
  /** What a read of one shows now. */
  find(id: string): MarketMachine | null;
  /** Ends a machine: false where there is none alive. */
  end(id: string): boolean;
  /** Takes it away, as the provider may with what is interruptible. */
  preempt(id: string): void;
  /** Dollars so far. */
  cost(machine: MarketMachine): number;
  /** Kills every container and stops every timer. */
  close(): void;
}

export interface RentRequest {
  offerId: string;
  label: string;
  environment: Record<string, string>;
  request: unknown;
}

export function openMarket(options: MarketOptions): Market {
  const clock = options.clock ?? realClock;
  const { acceptMs = 0, pullMs = 0 } = options;
  const machines: MarketMachine[] = [];
  const hiddenUntilMs = new Map<MarketMachine, number>();
  const timers = new Set<() => void>();
  let remembered: MarketMachine[] = [];
  let count = 0;

  const later = (ms: number, run: () => void) => {
    const cancel = clock.after(ms, () => {
      timers.delete(cancel);
      run();
    });
    timers.add(cancel);
  };
  const alive = () => machines.filter((machine) => machine.endedAtMs === null);
  const isShown = (machine: MarketMachine) => (hiddenUntilMs.get(machine) ?? 0) <= clock.nowMs();

  function boot(machine: MarketMachine): void {
    later(acceptMs, () => {
      if (machine.endedAtMs !== null) return;
      machine.phase = 'pulling';
      if (machine.ailment?.kind === 'never_pulls') return;
      later(pullMs, () => {
        if (machine.endedAtMs === null) run(machine);
      });
    });
    if (machine.ailment?.kind === 'preempted')
      later(machine.ailment.afterMs, () => market.preempt(machine.id));
  }

  function run(machine: MarketMachine): void {
    machine.phase = 'running';
    machine.runningAtMs ??= clock.nowMs();
    const container = options.startContainer?.(machine, market);
    if (!container) return;
    machine.container = container;
    container.ended.then(() => {
      if (machine.container !== container || machine.endedAtMs !== null) return;
      machine.container = null;
      if (options.onExit === 'restart') later(1000, () => machine.endedAtMs === null && run(machine));
      else if (options.onExit === 'end') stop(machine, 'exited');
      else machine.phase = 'exited';
    });
  }

  function stop(machine: MarketMachine, phase: Phase): void {
    machine.phase = phase;
    machine.endedAtMs = clock.nowMs();
    const { container } = machine;
    machine.container = null;
    container?.kill();
    const offer = market.offers.find((one) => one.id === machine.offerId);
    if (offer) offer.stock++;
  }

  const market: Market = {
    clock,
    offers: options.offers,
    faults: faultSwitch(),
    machines,
    alive,
    rent({ offerId, label, environment, request }, fault) {
      const offer = options.offers.find((one) => one.id === offerId);
      if (!offer || offer.stock < 1) return null;
      const reused = fault?.kind === 'id_reused' ? machines.find((one) => one.endedAtMs !== null) : undefined;
      const machine: MarketMachine = {
        id: reused?.id ?? options.newId(++count),
        label,
        offerId,
        environment,
        request,
        phase: 'accepted',
        pricePerHour: offer.pricePerHour * (fault?.kind === 'dearer' ? fault.factor : 1),
        createdAtMs: clock.nowMs(),
        runningAtMs: null,
        endedAtMs: null,
        ailment: fault?.kind === 'ailing' ? fault.ailment : null,
        containerKey: `container-key-${count}-${Math.random().toString(36).slice(2)}`,
        container: null,
      };
      if (fault?.kind === 'never_appears') return machine;
      offer.stock--;
      machines.push(machine);
      if (fault?.kind === 'appears_late') hiddenUntilMs.set(machine, clock.nowMs() + fault.ms);
      boot(machine);
      return machine;
    },
    listed(fault) {
      const shown = alive().filter(isShown);
      if (fault?.kind === 'empty') return [];
      if (fault?.kind === 'partial') return shown.slice(0, Math.floor(shown.length / 2));
      if (fault?.kind === 'stale') return remembered;
      remembered = shown;
      return shown;
    },
    find: (id) => machines.findLast((machine) => machine.id === id && isShown(machine)) ?? null,
    end(id) {
      const machine = alive().find((one) => one.id === id);
      if (machine) stop(machine, machine.phase);
      return machine !== undefined;
    },
    preempt(id) {
      const machine = alive().find((one) => one.id === id);
      if (!machine) return;
      machine.phase = 'preempted';
      machine.container?.kill();
      machine.container = null;
    },
    cost(machine) {
      const fromMs = options.billedFrom === 'create' ? machine.createdAtMs : machine.runningAtMs;
      if (fromMs === null) return 0;
      const toMs = machine.endedAtMs ?? clock.nowMs();
      return (machine.pricePerHour * Math.max(0, toMs - fromMs)) / 3_600_000;
    },
    close() {
      for (const cancel of timers) cancel();
      for (const machine of alive()) machine.container?.kill();
    },
  };
  return market;
}
