/** How the simulated Vast words its answers: https://docs.vast.ai/api-reference/rate-limits-and-errors. */
import type { Clock } from '../clock.ts';
import type { SimAnswer } from '../server.ts';
import { InvalidFilter } from './filters.ts';

export function ok(body: object): SimAnswer {
  return { status: 200, body: { success: true, ...body } };
}

export function failed(status: number, error: string, msg: string, more: object = {}): SimAnswer {
  return { status, body: { success: false, error, msg, ...more } };
}

export const noSuchInstance = failed(404, 'no_such_instance', 'Instance with that ID does not exist.');

/** Runs what may stumble over a filter or a token that makes no sense. */
export function orInvalid(handle: () => SimAnswer): SimAnswer {
  try {
    return handle();
  } catch (error) {
    if (error instanceof InvalidFilter) return failed(400, 'invalid_request', error.message);
    if (error instanceof SyntaxError) return failed(400, 'invalid_token', 'Invalid pagination token');
    throw error;
  }
}

/** The rows after the one that a token names, and the token for those after them. */
export function pageOf<T extends { id: number }>(rows: T[], limit: number, token: string | null) {
  const after = token === null ? 0 : (JSON.parse(atob(token)) as { values: { id: number } }).values.id;
  const rest = rows.toSorted((a, b) => a.id - b.id).filter(({ id }) => id > after);
  const page = rest.slice(0, limit);
  const last = rest.length > page.length ? page.at(-1) : undefined;
  return { page, next_token: last ? btoa(JSON.stringify({ values: { id: last.id } })) : null };
}

/** Seconds between two requests of a kind and key: the thresholds of the OpenAPI document, and 10 searches a minute. */
const thresholds: [method: string, path: RegExp, seconds: number][] = [
  ['POST', /^\/api\/v0\/bundles\/?$/, 6],
  ['PUT', /^\/api\/v0\/asks\/\d+\/?$/, 4.5],
  ['GET', /^\/api\/v1\/instances\/?$/, 1],
  ['GET', /^\/api\/v0\/instances\/\d+\/?$/, 2],
  ['PUT', /^\/api\/v0\/instances\/\d+\/?$/, 1],
  ['DELETE', /^\/api\/v0\/instances\/\d+\/?$/, 3],
  ['GET', /^\/api\/v0\/charges\/?$/, 1],
];

/** What refuses requests that come too soon, in plain text as Vast does. */
export function openThresholds(
  clock: Clock,
): (method: string, path: string, key: string) => SimAnswer | null {
  const lastMs = new Map<string, number>();
  return (method, path, key) => {
    const row = thresholds.find(([verb, pattern]) => verb === method && pattern.test(path));
    if (!row) return null;
    const kind = `${key} ${row[0]} ${row[1]}`;
    const isTooSoon = clock.nowMs() - (lastMs.get(kind) ?? Number.NEGATIVE_INFINITY) < row[2] * 1000;
    if (isTooSoon) return { status: 429, body: `API requests too frequent: endpoint threshold=${row[2]}` };
    lastMs.set(kind, clock.nowMs());
    return null;
  };
}
