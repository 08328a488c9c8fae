/**
 * What can go wrong at a provider, switched on for the next calls of a kind. The list is that of the
 * fault tables in the facts (peers.md 4.4, providers.md 5): each entry there has one here.
 */

export type Call = 'offers' | 'create' | 'list' | 'read' | 'terminate' | 'costs';

export type Fault =
  /** The connection breaks before anything was done. */
  | { kind: 'dropped' }
  /** It is done, and the connection breaks instead of an answer. */
  | { kind: 'answer_lost' }
  /** Another answer than it should be: done or not. `body` is sent as it is. */
  | { kind: 'answer'; status: number; body: string; done: boolean; headers?: Record<string, string> }
  /** Done, and answered so late, in real time. */
  | { kind: 'slow'; ms: number }
  /** create: answered with an id, but there never is a machine. */
  | { kind: 'never_appears' }
  /** create: the machine is there, but lists and reads show it only after some time on the market's clock. */
  | { kind: 'appears_late'; ms: number }
  /** create: the id of a machine that ended earlier is given again. */
  | { kind: 'id_reused' }
  /** create: costs so many times what was offered. */
  | { kind: 'dearer'; factor: number }
  /** create: another GPU comes than was asked for. */
  | { kind: 'other_gpu'; gpu: string }
  /** create: the machine that comes is not well: see `Ailment`. */
  | { kind: 'ailing'; ailment: Ailment }
  /** list: nobody's machines; only some; what it was before. */
  | { kind: 'empty' }
  | { kind: 'partial' }
  | { kind: 'stale' }
  /** create: the stock is gone between the look and the request. */
  | { kind: 'sold_out' }
  /** create: answered as a failure that names the machine, which is there all the same. */
  | { kind: 'failed_yet_made'; status: number }
  /** terminate: acknowledged, but the machine runs on. */
  | { kind: 'ignored' }
  /** terminate: answered as if there were no such machine, and it runs on. */
  | { kind: 'denied' };

/** What is wrong with a machine that does come. */
export type Ailment =
  | { kind: 'never_pulls' }
  /** Its host cannot make the container: a driver too old for the image. */
  | { kind: 'cannot_start' }
  /** The container ends again and again before the worker says hello. */
  | { kind: 'crash_loop' }
  | { kind: 'no_gpu' }
  /** The program begins and is never ready. */
  | { kind: 'hangs_in_load' }
  /** Taken away after so long on the market's clock. */
  | { kind: 'preempted'; afterMs: number }
  /** Loses its network after so long: the worker is not heard any more and goes on computing. */
  | { kind: 'loses_network'; afterMs: number }
  | { kind: 'disk_full' };

export interface Faults {
  /** The next `times` calls of this kind get it. */
  add(call: Call, fault: Fault, times?: number): void;
  /** What the present call gets, used up. */
  take(call: Call): Fault | null;
  clear(): void;
  /** Whether the next call of this kind will go wrong; how many faults wait for their call. */
  pending(call: Call): boolean;
  readonly waiting: number;
  /** How many were taken. */
  readonly injected: number;
}

export function faultSwitch(): Faults {
  const waiting: { call: Call; fault: Fault; times: number }[] = [];
  let injected = 0;
  return {
    add: (call, fault, times = 1) => void waiting.push({ call, fault, times }),
    take(call) {
      const next = waiting.find((one) => one.call === call);
      if (!next) return null;
      if (--next.times === 0) waiting.splice(waiting.indexOf(next), 1);
      injected++;
      return next.fault;
    },
    clear: () => void waiting.splice(0),
    pending: (call) => waiting.some((one) => one.call === call),
    get waiting() {
      return waiting.reduce((sum, one) => sum + one.times, 0);
    },
    get injected() {
      return injected;
    },
  };
}
