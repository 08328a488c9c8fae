/**
 * How adapters talk to providers: one request, one answer, never sent twice. What the answer means
 * is the adapter's business; that it is JSON of a known shape is checked here, and everything else
 * is a ProviderError.
 */
import type { z } from 'zod';
import packageJson from '../../../package.json' with { type: 'json' };
import { ProviderError } from './provider.ts';

/** RunPod's edge answers 403 to requests without a real one (facts: providers.md, 1.1). */
const userAgent = `${packageJson.name}/${packageJson.version}`;

/** No listing of ours comes near it; a body without end must not fill the memory. */
const mostBytes = 32 << 20;

export interface ProviderRequest {
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  url: URL;
  headers: Record<string, string>;
  /** Sent as JSON. */
  body?: unknown;
  timeoutMs: number;
}

export interface ProviderAnswer {
  status: number;
  headers: Headers;
  text: string;
}

/** Sends it once. @throws ProviderError `unavailable` where no whole answer came: it may have been heard all the same. */
export async function askProvider(name: string, request: ProviderRequest): Promise<ProviderAnswer> {
  const { method, url, headers, body, timeoutMs } = request;
  try {
    const response = await fetch(url, {
      method,
      headers: {
        'user-agent': userAgent,
        accept: 'application/json',
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      body: body === undefined ? null : JSON.stringify(body),
      // A provider's own address is configured; wherever it would send our key is not.
      redirect: 'error',
      signal: AbortSignal.timeout(timeoutMs),
    });
    return { status: response.status, headers: response.headers, text: await readText(response) };
  } catch (cause) {
    if (cause instanceof ProviderError) throw cause;
    throw new ProviderError('unavailable', `${name} did not answer ${method} ${url.pathname}.`, { cause });
  }
}

async function readText(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += chunk.byteLength;
    if (bytes > mostBytes)
      throw new ProviderError('unreadable', `The answer is longer than ${mostBytes} bytes.`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** The body of an answer in a known shape. @throws ProviderError `unreadable` for any other. */
export function parseAnswer<T>(name: string, schema: z.ZodType<T>, answer: ProviderAnswer): T {
  let value: unknown;
  try {
    value = JSON.parse(answer.text);
  } catch (cause) {
    throw new ProviderError(
      'unreadable',
      `${name} answered ${answer.status} with something that is not JSON.`,
      {
        cause,
      },
    );
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const faults = parsed.error.issues.slice(0, 5).map((issue) => `${issue.path.join('.')}: ${issue.message}`);
  throw new ProviderError('unreadable', `${name} answered in an unknown shape: ${faults.join('; ')}`);
}

/**
 * Some validators answer with what they were sent (FastAPI: `input`), and a create sends what its lease logs in
 * with: none of that may end in a log or an event, not even cut off in the middle.
 */
export function withoutPasswords(text: string): string {
  return text.replace(/((?:aima_worker_|worker-)[0-9a-z]{26}:)[\w-]+/g, '$1…');
}

/** What an answer that is no success says, as an error. The text of the answer is kept short: it ends in logs. */
export function failureOf(name: string, answer: ProviderAnswer): ProviderError {
  const { status } = answer;
  const said = withoutPasswords(answer.text.replace(/\s+/g, ' ').slice(0, 300));
  const message = `${name} answered ${status}: ${said}`;
  if (status === 401 || status === 403) return new ProviderError('unauthorized', message);
  if (status === 429) {
    const seconds = Number(answer.headers.get('retry-after'));
    return new ProviderError('rate_limited', message, { retryAfterMs: seconds > 0 ? seconds * 1000 : null });
  }
  if (status >= 500 || status === 408) return new ProviderError('unavailable', message);
  return new ProviderError(status >= 400 ? 'refused' : 'unreadable', message);
}

/** Dollars as providers write them, as integer micro-dollars. */
export function microdollars(dollars: number): number {
  return Math.round(dollars * 1e6);
}
