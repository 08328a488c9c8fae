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
  /** When its container ended for good, where the machine stays; null while it has not. */
  stoppedAtMs: number | null;
  /** How often it was moved to another node, and for how long it was billed on those before. */
  moves: number;
  earlierMs: number;
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
/** @param environment all that the container sees: what it was given, and what the provider adds. */
export type StartContainer = (
  machine: MarketMachine,
  market: Market,
  environment: Record<string, string>,
) => Container;

export interface MarketOptions {
  clock?: Clock;
  offers: MarketOffer[];
  /** From create until pulling begins, and from there until the container runs. */
  acceptMs?: number;
  pullMs?: number;
  /** What an ended container means: RunPod starts it again and bills on, Salad stops billing. */
  onExit: 'restart' | 'stay' | 'end';
  /** What has ended by itself stays listed, unbilled, until it is ended by somebody (Salad). */
  keepsExited?: boolean;
  /** A machine that is taken away is there all the same, or begins anew on another node (Salad). */
  onPreempt?: 'stay' | 'move';
  billedFrom: 'create' | 'running';
  /** Dollars while no container runs, from create on, where that is a price of its own (Vast's storage). */
  idlePricePerHour?(machine: MarketMachine): number;
  startContainer?: StartContainer;
  /** false: machines wait until somebody else makes them run, as jobs of a queue do for a worker. */
  boots?: boolean;
  /** What the provider itself puts into a container's environment; it wins over what it was given. */
  inContainer?(machine: MarketMachine): Record<string, string>;
  newId(count: number, request: RentRequest): string;
}

export interface Market {
  readonly clock: Clock;
  readonly offers: MarketOffer[];
  readonly faults: Faults;
  /** All there ever were, by id; what ended has `endedAtMs`. */
  readonly machines: MarketMachine[];
  /** Machines that are billed now. */
  alive(): MarketMachine[];
  /** Whether there is still something to read and to end: it is billed, or was kept. */
  isThere(machine: MarketMachine): boolean;
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
  /** Runs the container of one that was taken away or has exited, where its provider lets it be started again. */
  resume(id: string): void;
  /** Kills its container; whether it is started again is the provider's way. */
  restart(id: string): void;
  /** Dollars so far. */
  cost(machine: MarketMachine): number;
  /** Runs something after some time on its clock, unless it is closed before. */
  later(ms: number, run: () => void): void;
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
  const removed = new Set<MarketMachine>();
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
  const isThere = (machine: MarketMachine) =>
    machine.endedAtMs === null ||
    (options.keepsExited === true && machine.phase === 'exited' && !removed.has(machine));
  const isShown = (machine: MarketMachine) => (hiddenUntilMs.get(machine) ?? 0) <= clock.nowMs();

  function boot(machine: MarketMachine): void {
    if (options.boots === false) return;
    const { moves } = machine;
    const goesOn = () =>
      machine.endedAtMs === null && machine.phase !== 'preempted' && machine.moves === moves;
    later(acceptMs, () => {
      if (!goesOn()) return;
      machine.phase = 'pulling';
      if (machine.ailment?.kind === 'never_pulls' || machine.ailment?.kind === 'cannot_start') return;
      later(pullMs, () => {
        if (goesOn()) run(machine);
      });
    });
    if (machine.ailment?.kind === 'preempted' && moves === 0)
      later(machine.ailment.afterMs, () => market.preempt(machine.id));
  }

  function run(machine: MarketMachine): void {
    machine.phase = 'running';
    machine.runningAtMs ??= clock.nowMs();
    const environment = { ...machine.environment, ...options.inContainer?.(machine) };
    const container = options.startContainer?.(machine, market, environment);
    if (!container) return;
    machine.container = container;
    container.ended.then(() => {
      if (machine.container !== container || machine.endedAtMs !== null) return;
      machine.container = null;
      if (options.onExit === 'restart') later(1000, () => machine.endedAtMs === null && run(machine));
      else if (options.onExit === 'end') stop(machine, 'exited');
      else {
        machine.phase = 'exited';
        machine.stoppedAtMs = clock.nowMs();
      }
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
    isThere,
    later,
    rent(asked, fault) {
      const { offerId, label, environment, request } = asked;
      const offer = options.offers.find((one) => one.id === offerId);
      if (!offer || offer.stock < 1 || fault?.kind === 'sold_out') return null;
      const reused = fault?.kind === 'id_reused' ? machines.find((one) => one.endedAtMs !== null) : undefined;
      const machine: MarketMachine = {
        id: reused?.id ?? options.newId(++count, asked),
        label,
        offerId,
        environment,
        request,
        phase: 'accepted',
        pricePerHour: offer.pricePerHour * (fault?.kind === 'dearer' ? fault.factor : 1),
        createdAtMs: clock.nowMs(),
        runningAtMs: null,
        stoppedAtMs: null,
        moves: 0,
        earlierMs: 0,
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
      const shown = machines.filter((machine) => isThere(machine) && isShown(machine));
      if (fault?.kind === 'empty') return [];
      if (fault?.kind === 'partial') return shown.slice(0, Math.floor(shown.length / 2));
      if (fault?.kind === 'stale') return remembered;
      remembered = shown;
      return shown;
    },
    find: (id) => machines.findLast((machine) => machine.id === id && isShown(machine)) ?? null,
    end(id) {
      const machine = machines.findLast((one) => one.id === id && isThere(one));
      if (!machine) return false;
      if (machine.endedAtMs === null) stop(machine, machine.phase);
      removed.add(machine);
      return true;
    },
    preempt(id) {
      const machine = alive().find((one) => one.id === id);
      if (!machine) return;
      const { container } = machine;
      machine.phase = 'preempted';
      machine.stoppedAtMs ??= clock.nowMs();
      machine.container = null;
      container?.kill();
      if (options.onPreempt !== 'move') return;
      if (machine.runningAtMs !== null) machine.earlierMs += clock.nowMs() - machine.runningAtMs;
      machine.runningAtMs = null;
      machine.stoppedAtMs = null;
      machine.moves++;
      machine.phase = 'accepted';
      boot(machine);
    },
    resume(id) {
      const machine = alive().find((one) => one.id === id);
      if (!machine || machine.stoppedAtMs === null) return;
      if (machine.runningAtMs !== null) machine.earlierMs += machine.stoppedAtMs - machine.runningAtMs;
      machine.runningAtMs = null;
      machine.stoppedAtMs = null;
      run(machine);
    },
    restart: (id) =>
      alive()
        .find((one) => one.id === id)
        ?.container?.kill(),
    cost(machine) {
      const toMs = machine.endedAtMs ?? clock.nowMs();
      if (options.idlePricePerHour) {
        const { earlierMs, runningAtMs, stoppedAtMs, createdAtMs } = machine;
        const ranMs = earlierMs + (runningAtMs === null ? 0 : (stoppedAtMs ?? toMs) - runningAtMs);
        const idleDollars = options.idlePricePerHour(machine) * (toMs - createdAtMs - ranMs);
        return (machine.pricePerHour * ranMs + idleDollars) / 3_600_000;
      }
      const fromMs = options.billedFrom === 'create' ? machine.createdAtMs : machine.runningAtMs;
      const billedMs = machine.earlierMs + (fromMs === null ? 0 : Math.max(0, toMs - fromMs));
      return (machine.pricePerHour * billedMs) / 3_600_000;
    },
    close() {
      for (const cancel of timers) cancel();
      for (const machine of alive()) machine.container?.kill();
    },
  };
  return market;
}
