/** One HTTP request to an address that a stranger named, within the rules of addresses.ts. */
import { type IncomingMessage, request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import { AimaError } from '../errors.ts';
import { type AddressRules, checkedLookup, checkUrl } from './addresses.ts';

export interface OutboundRequest {
  method: 'GET' | 'POST';
  headers?: Record<string, string>;
  body?: Buffer;
  /** How many redirects are followed; more fail, and 0 hands a redirect to the caller as it is. */
  maxRedirects: number;
  signal: AbortSignal;
}

/**
 * Sends it and resolves with the head of the answer, whatever its status; the caller reads the body
 * or destroys it.
 *
 * @throws AimaError `url_not_allowed`; any error of the network as Node made it.
 */
export async function send(
  address: string,
  { method, headers = {}, body, maxRedirects, signal }: OutboundRequest,
  rules: AddressRules,
): Promise<IncomingMessage> {
  let url = checkUrl(address, rules);
  for (let redirects = 0; ; redirects++) {
    const answer = await sendOnce(url, { method, headers, body, signal }, rules);
    const location = isRedirect(answer.statusCode) ? answer.headers.location : undefined;
    if (location === undefined || maxRedirects === 0) return answer;
    answer.destroy();
    if (redirects === maxRedirects) {
      throw new AimaError('url_fetch_failed', `It redirects more than ${maxRedirects} times.`);
    }
    const next = URL.parse(location, url.href);
    if (!next) throw new AimaError('url_fetch_failed', 'It redirects to something that is no address.');
    url = checkUrl(next.href, rules);
  }
}

function isRedirect(status: number | undefined): boolean {
  return status !== undefined && [301, 302, 303, 307, 308].includes(status);
}

interface Exchange {
  method: string;
  headers: Record<string, string>;
  body: Buffer | undefined;
  signal: AbortSignal;
}

function sendOnce(
  url: URL,
  { method, headers, body, signal }: Exchange,
  rules: AddressRules,
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const request = (url.protocol === 'https:' ? requestHttps : requestHttp)(url, {
      method,
      headers: {
        'user-agent': 'aima',
        'accept-encoding': 'identity',
        ...(body ? { 'content-length': String(body.length) } : {}),
        ...headers,
      },
      signal,
      lookup: checkedLookup(rules),
      // A connection of its own: a kept one would have been made under another check.
      agent: false,
    });
    request.once('response', resolve).once('error', reject);
    request.end(body);
  });
}
