/** The parts of a request, read with mistrust: any of them may be missing, huge or nonsense. */
import type { z } from 'zod';
import { AimaError } from '../errors.ts';
import type { FunctionEvent } from './contract.ts';
import { invalid } from './problem.ts';

/** Names in lower case; of a repeated header the values joined by commas, as RFC 9110 reads them. */
export type RequestHeaders = Record<string, string | undefined>;

export function readHeaders(event: FunctionEvent): RequestHeaders {
  const headers: RequestHeaders = Object.create(null);
  for (const [name, value] of Object.entries(event.headers)) {
    headers[name.toLowerCase()] = Array.isArray(value) ? value.join(', ') : value;
  }
  return headers;
}

/**
 * Checks a value from outside against its schema.
 *
 * @throws AimaError `bad_request` with the list of faults.
 */
export function check<S extends z.ZodType>(where: string, schema: S, value: unknown): z.output<S> {
  const parsed = schema.safeParse(value);
  if (!parsed.success) throw invalid(where, parsed.error);
  return parsed.data;
}

/**
 * The JSON of the body; undefined where there is none.
 *
 * Types taken as JSON beside JSON's own: none at all, text/plain (what `faas-cli invoke` sends) and
 * form-urlencoded (what `curl -d` sends unless told otherwise). With bearer tokens no
 * cross-site form can misuse that.
 *
 * @throws AimaError `payload_too_large`, `unsupported_media` or `bad_request`.
 */
export function readJson(event: FunctionEvent, headers: RequestHeaders, maxBodyBytes: number): unknown {
  const bytes = bodyBytes(event);
  if (bytes.length > maxBodyBytes) {
    throw new AimaError('payload_too_large', `The body may have at most ${maxBodyBytes} bytes.`, {
      data: { maxBodyBytes },
    });
  }
  if (bytes.length === 0) return undefined;
  checkType(headers);
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new AimaError('bad_request', 'The body is not valid UTF-8.');
  }
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new AimaError('bad_request', `The body is not valid JSON: ${(error as Error).message}`);
  }
}

function bodyBytes(event: FunctionEvent): Buffer {
  const { body } = event;
  if (Buffer.isBuffer(body)) return body;
  if (typeof body === 'string') return Buffer.from(body);
  // Express leaves undefined or {} where a request has no body.
  if (body === undefined || body === null || Object.keys(body).length === 0) return Buffer.alloc(0);
  throw new AimaError('internal', 'The body arrived parsed: the function needs RAW_BODY=true.');
}

const READ_AS_JSON = /^(application\/([\w.!#$&^-]+\+)?json|text\/plain|application\/x-www-form-urlencoded)$/;

function checkType(headers: RequestHeaders): void {
  const [type = '', ...parameters] = (headers['content-type'] ?? 'application/json').split(';');
  if (!READ_AS_JSON.test(type.trim().toLowerCase())) {
    throw new AimaError('unsupported_media', `Send application/json, not ${type.trim()}.`);
  }
  const charset = parameters.map((text) => /^\s*charset="?([^"\s]+)"?/i.exec(text)?.[1]).find(Boolean);
  if (charset !== undefined && !/^(utf-?8|us-ascii)$/i.test(charset)) {
    throw new AimaError('unsupported_media', `Send UTF-8, not ${charset}.`);
  }
  const encoding = headers['content-encoding'] ?? 'identity';
  if (encoding !== 'identity') {
    throw new AimaError('unsupported_media', `Send the body uncompressed, not as ${encoding}.`);
  }
}
