/** Calls a wrapped function the way a host does, by the template's contract. */
import type { FunctionEvent, FunctionHandler } from '../../functions/core/http/contract.ts';
import { invoke } from '../../infra/embedded/gateway/invocation.ts';

export interface Called {
  status: number;
  headers: Record<string, string | string[]>;
  text: string;
  json(): Record<string, unknown>;
}

export async function call(
  handler: FunctionHandler,
  method: string,
  path: string,
  { body, ...event }: Partial<FunctionEvent> = {},
): Promise<Called> {
  const raw = typeof body === 'string' ? Buffer.from(body) : body;
  const headers = { 'x-call-id': 'call-1', ...event.headers };
  const answer = await invoke(handler, { method, path, query: {}, body: raw, ...event, headers }, 10_000);
  const text = answer.body.toString();
  return { status: answer.status, headers: answer.headers, text, json: () => JSON.parse(text) };
}
