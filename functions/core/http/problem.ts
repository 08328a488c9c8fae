/** Errors as callers see them: RFC 9457 problem documents made from the table of errors. */
import { z } from 'zod';
import { AimaError, type ErrorCode } from '../errors.ts';

export const Fault = z.object({
  path: z.string().meta({ description: 'Where, such as body.files[0].name or query.limit' }),
  message: z.string(),
});

export const Problem = z
  .object({
    type: z.string().meta({ description: 'urn:aima:error:<code>' }),
    title: z.string(),
    status: z.int(),
    detail: z.string().meta({ description: 'One sentence about this very case' }),
    code: z.string().meta({ description: 'What programs should look at' }),
    retry: z.enum(['never', 'later', 'now']).meta({ description: 'Whether sending it again helps' }),
    advice: z.string().meta({ description: 'What a person can do' }),
    callId: z.string().meta({ description: 'Find the call in the logs by it' }),
    errors: z.array(Fault).optional(),
  })
  .loose()
  .meta({ id: 'Problem', description: 'RFC 9457 problem document' });

export type Fault = z.infer<typeof Fault>;
export type Problem = z.infer<typeof Problem>;

export const PROBLEM_TYPE = 'application/problem+json';

/** More faults than this are cut off: nobody reads them, and a hostile body could make millions. */
const FAULTS_SHOWN = 20;

/** The document of an error. A 5xx shows the table's sentences only: its detail may tell internals. */
export function problemOf(error: AimaError, callId: string): Problem {
  const { httpStatus, retry, title, advice } = error.row;
  const shown = httpStatus < 500;
  const members = {
    type: `urn:aima:error:${error.code}`,
    title,
    status: httpStatus,
    detail: shown ? error.detail : `${title}.`,
    code: error.code,
    retry,
    advice,
    callId,
  };
  // Twice, so that data comes last to a reader and yet replaces nothing.
  return shown ? { ...members, ...error.data, ...members } : members;
}

/** Headers that belong to an error: what a client needs to do better next time. */
export function problemHeaders(error: AimaError): Record<string, string> {
  const headers: Record<string, string> = { 'content-type': PROBLEM_TYPE };
  if (error.code === 'unauthorized') headers['www-authenticate'] = 'Bearer';
  if (Array.isArray(error.data.allow)) headers.allow = error.data.allow.join(', ');
  if (typeof error.data.retryAfterSeconds === 'number') {
    headers['retry-after'] = String(Math.ceil(error.data.retryAfterSeconds));
  }
  return headers;
}

/** A `bad_request` that lists what zod found wrong; `where` is body, query, path or headers. */
export function invalid(where: string, error: z.ZodError): AimaError {
  const faults = error.issues.flatMap((issue) => faultsOf(where, issue));
  const errors = faults.slice(0, FAULTS_SHOWN);
  const rest = faults.length - errors.length;
  const detail = `${errors[0]!.path}: ${errors[0]!.message}`;
  return new AimaError('bad_request', rest > 0 ? `${detail} (and ${rest} faults not listed)` : detail, {
    data: { errors },
  });
}

/** Of a union that fits nowhere, the faults of the alternative that comes closest. */
function faultsOf(where: string, issue: z.core.$ZodIssue): Fault[] {
  const path = issue.path.reduce<string>(
    (parent, key) => (typeof key === 'number' ? `${parent}[${key}]` : `${parent}.${String(key)}`),
    where,
  );
  if (issue.code === 'invalid_union' && issue.errors.length > 0) {
    const closest = issue.errors.reduce((best, other) => (other.length < best.length ? other : best));
    return closest.flatMap((inner) => faultsOf(path, inner));
  }
  return [{ path, message: issue.message }];
}

/** The codes a route can always answer with, by what it takes. */
export function inherentErrors(takes: { input: boolean; body: boolean; token: boolean }): ErrorCode[] {
  const codes: ErrorCode[] = ['internal', 'timeout'];
  if (takes.input || takes.body) codes.push('bad_request');
  if (takes.body) codes.push('payload_too_large', 'unsupported_media');
  if (takes.token) codes.push('unauthorized', 'forbidden');
  return codes;
}
