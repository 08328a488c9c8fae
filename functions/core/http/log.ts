/** One JSON object a line on stdout or stderr, which is where OpenFaaS collects logs from. */

export type LogFields = Record<string, unknown>;

export interface Log {
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
}

/** A log whose lines carry `fields`, such as the function's name and the call id. */
export function createLog(fields: LogFields): Log {
  const line = (level: string, message: string, more: LogFields = {}) =>
    JSON.stringify({ at: new Date().toISOString(), level, message, ...fields, ...more });
  return {
    info: (message, more) => console.log(line('info', message, more)),
    warn: (message, more) => console.warn(line('warn', message, more)),
    error: (message, more) => console.error(line('error', message, more)),
  };
}

/** Stack of an error with the stacks of its causes. */
export function stackOf(thrown: unknown): string {
  if (!(thrown instanceof Error)) return String(thrown);
  const own = thrown.stack ?? thrown.message;
  return thrown.cause === undefined ? own : `${own}\ncaused by: ${stackOf(thrown.cause)}`;
}
