/** One call of a handler, by the contract of OpenFaaS's node template under RAW_BODY=true. */
import { AimaError } from '../../../functions/core/errors.ts';
import type {
  FunctionContext,
  FunctionEvent,
  FunctionHandler,
  HeaderValues,
} from '../../../functions/core/http/contract.ts';

export interface FunctionAnswer {
  status: number;
  headers: HeaderValues;
  /** What the body is where the function did not say: the template's choice, by Express. */
  defaultType: string;
  body: Buffer;
}

type Settle = (failed: boolean, value: unknown) => void;

/**
 * Calls a handler and gives its answer. What it does after its first answer, or after the
 * timeout, is not looked at: JavaScript cannot be stopped from outside.
 *
 * @throws AimaError `timeout`; `internal` where the handler throws (the template answers that
 *   with 200) or gives a status that does not exist.
 */
export function invoke(
  handler: FunctionHandler,
  event: FunctionEvent,
  timeoutMs: number,
): Promise<FunctionAnswer> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(
      () => reject(new AimaError('timeout', `No answer within ${timeoutMs} ms.`)),
      timeoutMs,
    );
    const context = new CallContext((failed, value) => {
      clearTimeout(timer);
      try {
        resolve(answerOf(context, failed ? String(value) : value));
      } catch (error) {
        reject(error);
      }
    });
    const fail = (thrown: unknown) => {
      clearTimeout(timer);
      reject(new AimaError('internal', 'The handler threw.', { cause: thrown }));
    };
    try {
      Promise.resolve(handler(event, context)).then((value) => context.succeed(value), fail);
    } catch (thrown) {
      fail(thrown);
    }
  });
}

class CallContext implements FunctionContext {
  #status = 200;
  #headers: HeaderValues = {};
  #settle: Settle | null;

  constructor(settle: Settle) {
    this.#settle = settle;
  }

  status(): number;
  status(code: number): FunctionContext;
  status(code?: number): number | FunctionContext {
    if (!code) return this.#status;
    this.#status = code;
    return this;
  }

  headers(): HeaderValues;
  headers(values: HeaderValues): FunctionContext;
  headers(values?: HeaderValues): HeaderValues | FunctionContext {
    if (!values) return this.#headers;
    this.#headers = values;
    return this;
  }

  /** The first answer counts: a handler that has called this also returns, mostly with nothing. */
  succeed(value?: unknown): void {
    this.#finish(false, value);
  }

  fail(error: unknown): void {
    if (this.#status === 200) this.#status = 500;
    this.#finish(true, error);
  }

  #finish(failed: boolean, value: unknown): void {
    const settle = this.#settle;
    this.#settle = null;
    settle?.(failed, value);
  }
}

function answerOf(context: CallContext, value: unknown): FunctionAnswer {
  const status = context.status();
  if (!Number.isInteger(status) || status < 200 || status > 599) {
    throw new AimaError('internal', `The handler gave the status ${status}.`);
  }
  const headers = context.headers();
  if (value === undefined || value === null) {
    return { status, headers, defaultType: '', body: Buffer.alloc(0) };
  }
  if (value instanceof Uint8Array) {
    const body = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
    return { status, headers, defaultType: 'application/octet-stream', body };
  }
  // The template hands JSON text to Express, which takes every string for HTML.
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return { status, headers, defaultType: 'text/html; charset=utf-8', body: Buffer.from(text) };
}
