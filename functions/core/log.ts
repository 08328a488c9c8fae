/**
 * What the functions say: one JSON object a line on stdout or stderr, which is where OpenFaaS collects logs
 * from. Every line has `at`, `level`, `message`, and as far as they are known `function`, `callId`, `jobId`,
 * `instanceId`, `provider`: the same names everywhere, so that one id finds everything.
 *
 * The wrapper (http/function.ts) says once whose call it is; what the core logs deep inside it carries that.
 * No secret and no foreign text goes into `message`; an error may tell of an address, so what could open
 * something is taken out of every line.
 */
import { AsyncLocalStorage } from 'node:async_hooks';

export type LogFields = Record<string, unknown>;

export interface Log {
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
}

const current = new AsyncLocalStorage<LogFields>();

/** Runs code whose lines, then and later, all carry `fields` beside those that hold already. */
export function withLogFields<T>(fields: LogFields, run: () => T): T {
  return current.run({ ...current.getStore(), ...fields }, run);
}

/** The log of whatever call this is. An Error among the fields is written with its stack and its causes. */
export const log: Log = createLog();

/** A log whose lines carry `fields` beside those of the call. */
export function createLog(fields: LogFields = {}): Log {
  const line = (level: string, message: string, more: LogFields = {}) =>
    lineOf({ at: new Date().toISOString(), level, message, ...current.getStore(), ...fields, ...more });
  return {
    info: (message, more) => console.log(line('info', message, more)),
    warn: (message, more) => console.warn(line('warn', message, more)),
    error: (message, more) => console.error(line('error', message, more)),
  };
}

/** What is no JSON is left out rather than lose the line. */
function lineOf(fields: LogFields): string {
  const plain = (_: string, value: unknown) =>
    value instanceof Error ? stackOf(value) : typeof value === 'bigint' ? String(value) : value;
  try {
    return withoutSecrets(JSON.stringify(fields, plain));
  } catch {
    const { at, level, message, function: name, callId } = fields;
    return JSON.stringify({
      at,
      level,
      message,
      function: name,
      callId,
      lost: 'the other fields are no JSON',
    });
  }
}

/**
 * Pure: bearer tokens, passwords in addresses, the signatures of presigned addresses, and the token in the
 * address that RunPod Serverless is told (providers/runpod-serverless/webhook.ts), all taken out.
 */
export function withoutSecrets(line: string): string {
  return line
    .replace(/(\b(?:bearer|basic) +)[\w.~+/=-]{8,}/gi, '$1…')
    .replace(/(\b[a-z][a-z0-9+.-]*:\/\/[^\s:/@"\\]*:)[^\s/@"\\]+@/gi, '$1…@')
    .replace(/(x-amz-(?:signature|credential|security-token)(?:=|%3d))[^&\s"\\]+/gi, '$1…')
    .replace(/(\/serverless\/[0-9a-z]{26}\/)[\w-]+/gi, '$1…');
}

/** Stack of an error with the stacks of its causes. */
export function stackOf(thrown: unknown): string {
  if (!(thrown instanceof Error)) return String(thrown);
  const own = thrown.stack ?? thrown.message;
  return thrown.cause === undefined ? own : `${own}\ncaused by: ${stackOf(thrown.cause)}`;
}
