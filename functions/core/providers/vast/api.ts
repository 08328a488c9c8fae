/** Calls of Vast's API: the key, the least time between two of a kind, and pages. */
import type { z } from 'zod';
import { askProvider, type ProviderAnswer, type ProviderRequest, parseAnswer } from '../http.ts';
import { ProviderError } from '../provider.ts';
import { type Clock, openRateLimit } from '../rate-limit.ts';
import { failure, name } from './answers.ts';

/**
 * The least time between two calls of an endpoint with one key, in milliseconds: `threshold` in the
 * 429s of the OpenAPI document, which are in seconds. Search has none there; about 10 a minute are
 * let through (facts: providers.md, 3.1).
 */
export const intervalsMs = {
  'POST bundles': 6000,
  'PUT asks': 4500,
  'GET instances': 1000,
  'GET instance': 2000,
  'DELETE instance': 3000,
  'GET charges': 1000,
};
export type Endpoint = keyof typeof intervalsMs;

/** What a page holds at most: more is not given. */
export const mostPerPage = { instances: 25, charges: 500 };

export interface ApiOptions {
  url: string;
  apiKey: string;
  timeoutMs: number;
  clock: Clock;
}

export interface Call {
  endpoint: Endpoint;
  path: string;
  /** What is not a string is sent as JSON. */
  query?: Record<string, unknown>;
  body?: unknown;
}

interface Page {
  next_token?: string | null | undefined;
}

export function openApi({ url, apiKey, timeoutMs, clock }: ApiOptions) {
  const inTime = openRateLimit(intervalsMs, clock);

  /** Sends it once. @throws ProviderError `rate_limited` where it was not sent: an answer of 429 is returned. */
  function ask({ endpoint, path, query = {}, body }: Call): Promise<ProviderAnswer> {
    const target = new URL(path, url);
    for (const [key, value] of Object.entries(query))
      target.searchParams.set(key, typeof value === 'string' ? value : JSON.stringify(value));
    return inTime(endpoint, () =>
      askProvider(name, {
        method: endpoint.split(' ')[0] as ProviderRequest['method'],
        url: target,
        headers: { authorization: `Bearer ${apiKey}` },
        body,
        timeoutMs,
      }),
    );
  }

  /** @throws ProviderError for everything but a 200 of that shape. */
  async function get<T>(schema: z.ZodType<T>, call: Call): Promise<T> {
    const answer = await ask(call);
    if (answer.status !== 200) throw failure(answer);
    return parseAnswer(name, schema, answer);
  }

  /** Every page there is, in order. @throws ProviderError also where a page comes a second time. */
  async function getPages<T extends Page>(schema: z.ZodType<T>, call: Call): Promise<T[]> {
    const pages: T[] = [];
    const tokens = new Set<string>();
    for (let query = call.query; ; ) {
      const page = await get(schema, { ...call, ...(query && { query }) });
      pages.push(page);
      const token = page.next_token;
      if (!token) return pages;
      if (tokens.has(token)) throw new ProviderError('unreadable', `${name} gives the same page again.`);
      tokens.add(token);
      query = { ...call.query, after_token: token };
    }
  }

  return { ask, get, getPages };
}
