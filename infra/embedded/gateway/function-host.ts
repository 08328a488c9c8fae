/**
 * The functions of the stack, loaded into this process.
 *
 * On faasd each function is a container with an environment of its own. Here all share the
 * process and so its environment: of a function's `environment` in stack.yml only `exec_timeout`
 * has a meaning, everything else comes from the environment that the gateway was started with.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import type { FunctionEvent, FunctionHandler } from '../../../functions/core/http/contract.ts';
import type { FunctionLogs } from './function-logs.ts';
import { type FunctionAnswer, invoke } from './invocation.ts';
import type { StackFunction } from './stack.ts';

/** OpenFaaS's namespace of functions; there is one. */
export const NAMESPACE = 'openfaas-fn';

/** A module that takes longer to load may still come: the others do not wait for it. */
const LOAD_WAIT_MS = 20_000;

export interface HostedFunction {
  definition: StackFunction;
  /** Null until its module is loaded, and for good where that failed. */
  handler: FunctionHandler | null;
  invocationCount: number;
  createdAt: Date;
}

export class FunctionHost {
  readonly functions: ReadonlyMap<string, HostedFunction>;
  readonly #logs: FunctionLogs;

  constructor(stack: readonly StackFunction[], logs: FunctionLogs) {
    this.#logs = logs;
    this.functions = new Map(
      stack.map((definition) => [
        definition.name,
        { definition, handler: null, invocationCount: 0, createdAt: new Date() },
      ]),
    );
  }

  /** Loads all handlers. One that cannot be loaded is reported in its log and unavailable. */
  async load(): Promise<void> {
    const loading = [...this.functions.values()].map((hosted) => this.#loadOne(hosted));
    const waiting = new AbortController();
    const enough = sleep(LOAD_WAIT_MS, undefined, { signal: waiting.signal }).catch(() => undefined);
    await Promise.race([Promise.all(loading), enough]);
    waiting.abort();
  }

  /** The function of `name` or `name.openfaas-fn`. */
  find(name: string): HostedFunction | undefined {
    const found = this.functions.get(name);
    if (found !== undefined) return found;
    const suffix = `.${NAMESPACE}`;
    return name.endsWith(suffix) ? this.functions.get(name.slice(0, -suffix.length)) : undefined;
  }

  /** Calls a loaded function. Throws what `invoke` throws. */
  call(hosted: HostedFunction, handler: FunctionHandler, event: FunctionEvent): Promise<FunctionAnswer> {
    hosted.invocationCount += 1;
    const { name, execTimeoutMs } = hosted.definition;
    return this.#logs.runAs(name, () => invoke(handler, event, execTimeoutMs));
  }

  async #loadOne(hosted: HostedFunction): Promise<void> {
    const { name, modulePath } = hosted.definition;
    await this.#logs.runAs(name, async () => {
      try {
        const module: { default?: unknown } = await import(pathToFileURL(modulePath).href);
        if (typeof module.default !== 'function') throw new Error('its default export is no function');
        hosted.handler = module.default as FunctionHandler;
      } catch (error) {
        const reason = error instanceof Error ? (error.stack ?? error.message) : String(error);
        console.error(`the function is unavailable: ${modulePath} cannot be loaded: ${reason}`);
      }
    });
  }
}
