/**
 * The big red button: ends every machine of ours at every provider, from what the providers list and
 * our label alone. It needs no Postgres, so it works when nothing else does; and one provider that
 * fails keeps no other waiting.
 *
 * Gone is what the design says it is: a machine is gone when two reads of it by id and a whole list
 * say so. A list that shows nothing of ours proves that nothing is there only when it is taken late
 * enough to show what was created a moment ago.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import type { Machine, Provider } from '../providers/provider.ts';
import { instanceOfLabel } from './label.ts';

export interface StopOptions {
  /** When it aborts, what is known by then is reported: no call to a provider is waited for any longer. */
  signal: AbortSignal;
  /** One line for each thing that happens. */
  log(line: string): void;
  /**
   * Looks on until a list would show a machine that was asked for just before the start. Whoever has
   * other means to find those, and holds the queue, need not wait.
   */
  waitsForLate: boolean;
  /** The first pause between two looks; it doubles up to ten times as long. */
  pauseMs?: number;
}

const StoppedMachine = z.object({
  providerInstanceId: z.string(),
  label: z.string(),
  gone: z.boolean(),
  /** What stands against it; null when it is gone. */
  why: z.string().nullable(),
});

export const StopReport = z.object({
  provider: z.string(),
  /** What of ours was found there. */
  machines: z.array(StoppedMachine),
  /** Nothing of ours is there, and that is certain. */
  confirmed: z.boolean(),
  /** Why it is not certain; null when it is. */
  why: z.string().nullable(),
});

type StoppedMachine = z.infer<typeof StoppedMachine>;
export type StopReport = z.infer<typeof StopReport>;

/** Never throws: what went wrong is in the reports, one for each provider. */
export function stopEverything(
  providers: Iterable<Provider>,
  ownerId: string,
  options: StopOptions,
): Promise<StopReport[]> {
  return Promise.all(
    [...providers].map(async (provider) => {
      const stop = new ProviderStop(provider, ownerId, options);
      await Promise.race([stop.run(), untilAborted(options.signal)]);
      return stop.report();
    }),
  );
}

/** The same word twice: one "no such machine" may be a slip. */
const readsToBeGone = 2;

class ProviderStop {
  readonly #provider: Provider;
  readonly #ownerId: string;
  readonly #options: StopOptions;
  readonly #machines = new Map<string, StoppedMachine>();
  readonly #startedAtMs = performance.now();
  #confirmed = false;
  #why: string | null = 'It has not answered yet.';

  constructor(provider: Provider, ownerId: string, options: StopOptions) {
    this.#provider = provider;
    this.#ownerId = ownerId;
    this.#options = options;
  }

  report(): StopReport {
    const machines = [...this.#machines.values()].map((machine) => ({ ...machine }));
    return { provider: this.#provider.name, machines, confirmed: this.#confirmed, why: this.#why };
  }

  async run(): Promise<void> {
    const { signal, pauseMs = 1000 } = this.#options;
    for (let round = 0; !signal.aborted; round++) {
      const before = this.#why;
      try {
        this.#why = await this.#look();
      } catch (error) {
        this.#why = messageOf(error);
      }
      this.#confirmed = this.#why === null;
      if (this.#confirmed) return this.#say('nothing of ours is there any more');
      if (this.#why !== before) this.#say(this.#why!);
      await sleep(Math.min(10, 2 ** round) * pauseMs, undefined, { signal }).catch(() => {});
    }
  }

  /** @returns what stands against being done, or null. @throws what the provider's calls throw. */
  async #look(): Promise<string | null> {
    const { createTimeoutMs, listLagMs, isListed } = this.#provider;
    if (!isListed) return this.#endUnlisted();
    // From when on a list shows whatever was asked for before the start.
    const isLate = performance.now() - this.#startedAtMs >= createTimeoutMs + listLagMs;
    const listed = await this.#provider.list();
    if (listed === null) return this.#endUnlisted();
    const ours = listed.filter(({ label }) => instanceOfLabel(this.#ownerId, label) !== null);
    for (const machine of ours) this.#note(machine);
    const shown = new Set(ours.map(({ providerInstanceId }) => providerInstanceId));
    await Promise.all(
      [...this.#machines.values()]
        .filter((machine) => !machine.gone || shown.has(machine.providerInstanceId))
        .map((machine) => this.#end(machine, shown.has(machine.providerInstanceId))),
    );
    const left = [...this.#machines.values()].filter(({ gone }) => !gone).length;
    if (left > 0) return `${left} of ours not gone yet`;
    if (isLate || !this.#options.waitsForLate) return null;
    const seconds = Math.ceil((createTimeoutMs + listLagMs) / 1000);
    return `looking on until ${seconds} s from the start: what was created just before it may show late`;
  }

  #note({ providerInstanceId, label }: Machine): void {
    if (this.#machines.has(providerInstanceId)) return;
    this.#machines.set(providerInstanceId, { providerInstanceId, label, gone: false, why: null });
    this.#say(`ending ${label} (${providerInstanceId})`);
  }

  async #end(machine: StoppedMachine, isShown: boolean): Promise<void> {
    const { providerInstanceId, label } = machine;
    try {
      machine.gone = false;
      machine.why = 'It is still there.';
      await this.#provider.terminate(providerInstanceId);
      // Asked again at every look while the list shows it, whatever a read says.
      if (isShown) return;
      for (let reads = 0; reads < readsToBeGone; reads++)
        if (await this.#provider.read(providerInstanceId)) return;
      machine.gone = true;
      machine.why = null;
      this.#say(`${label} is gone`);
    } catch (error) {
      machine.why = messageOf(error);
    }
  }

  async #endUnlisted(): Promise<string | null> {
    if (!this.#provider.endAll) return 'It cannot list its machines, nor end them all at once.';
    this.#say('its machines cannot be listed: ending all of them');
    await this.#provider.endAll();
    return null;
  }

  #say(line: string): void {
    this.#options.log(`${this.#provider.name}: ${line}`);
  }
}

/** What is under way then goes on without anybody waiting for it. */
export function untilAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener('abort', () => resolve());
  });
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
