/**
 * Everything that can go wrong, in one table: what HTTP says of it, whether trying again helps,
 * and what a person can do. Code throws an `AimaError` with one of these codes; the wrapper of
 * the functions turns it into an RFC 9457 problem, the worker saves it with the job.
 *
 * `retry` is for programs: `never` (the same request fails again), `later` (the cause passes by
 * itself), `now` (sending it once more at once is right).
 */
export type Retry = 'never' | 'later' | 'now';

export interface ErrorRow {
  httpStatus: number;
  retry: Retry;
  title: string;
  /** A sentence for the user: what to do next. */
  advice: string;
}

function row(httpStatus: number, retry: Retry, title: string, advice: string): ErrorRow {
  return { httpStatus, retry, title, advice };
}

export const ERRORS = {
  // The request itself.
  bad_request: row(400, 'never', 'The request is not valid', 'Correct what is named and send it again.'),
  unauthorized: row(401, 'never', 'No valid token', 'Send the header "Authorization: Bearer <token>".'),
  forbidden: row(403, 'never', 'Not allowed', 'Use an account that may do this.'),
  not_found: row(404, 'never', 'Not found', 'Check the address and the id.'),
  method_not_allowed: row(405, 'never', 'Method not allowed', 'Use one of the methods in the header Allow.'),
  conflict: row(409, 'never', 'In conflict with the present state', 'Read the present state, then decide.'),
  idempotency_conflict: row(
    409,
    'never',
    'Idempotency key used for another request',
    'Send the same request as before, or use a new Idempotency-Key.',
  ),
  wrong_state: row(409, 'never', 'Not possible in this state', 'Read the state of the job, then decide.'),
  payload_too_large: row(413, 'never', 'Request too large', 'Send less at once.'),
  unsupported_media: row(415, 'never', 'Type not supported', 'Send one of the types that are named.'),
  too_many_requests: row(429, 'later', 'Too many requests', 'Wait a little, then send it again.'),

  // The medium.
  broken_media: row(422, 'never', 'The file is damaged', 'Check that it plays, or export it anew.'),
  media_too_large: row(413, 'never', 'The file is too large', 'Cut it into parts or reduce its size.'),
  url_not_allowed: row(422, 'never', 'Address not allowed', 'Use an https address that is public.'),
  url_fetch_failed: row(
    422,
    'later',
    'The address could not be fetched',
    'Check that it can be opened without logging in, then try again.',
  ),
  upload_expired: row(410, 'never', 'The upload came too late', 'Submit the file again.'),

  // Renting and running.
  worker_lost: row(
    502,
    'now',
    'The worker was lost',
    'Retry the job; if it is lost again, look at its events and at the logs of the workers.',
  ),
  analysis_failed: row(500, 'later', 'The analysis failed', 'Retry the job, or ask for fewer analyses.'),
  media_unreachable: row(502, 'later', 'The worker could not fetch the medium', 'Retry the job in a minute.'),
  budget_exceeded: row(
    402,
    'never',
    'The budget is used up',
    'What was found so far stays. Retry the job with a higher limit, or where it was the budget of the installation, when that is renewed or raised.',
  ),
  media_changed: row(409, 'later', 'The medium was replaced meanwhile', 'Submit the new file.'),

  // This installation.
  models_unavailable: row(
    503,
    'later',
    'Models unavailable',
    'Check that the npm registry can be reached, then try again.',
  ),
  storage_unavailable: row(503, 'later', 'Object store unavailable', 'Try again in a minute.'),
  database_unavailable: row(503, 'later', 'Database unavailable', 'Try again in a minute.'),
  timeout: row(504, 'later', 'It took too long', 'Read the state first: it may have been done all the same.'),
  internal: row(
    500,
    'later',
    'Something went wrong here',
    'Try again; if it stays, look the call id up in the log.',
  ),
} as const satisfies Record<string, ErrorRow>;

export type ErrorCode = keyof typeof ERRORS;

export interface AimaErrorOptions {
  cause?: unknown;
  /** Facts for programs, JSON. The caller sees them with a 4xx, so no secrets. */
  data?: Record<string, unknown>;
}

/**
 * A failure with a code of the table. `detail` is one sentence about this very case; the caller
 * sees it with a 4xx, only the log with a 5xx. `data.retryAfterSeconds` becomes Retry-After.
 */
export class AimaError extends Error {
  override readonly name = 'AimaError';
  readonly code: ErrorCode;
  readonly detail: string;
  readonly data: Record<string, unknown>;

  constructor(code: ErrorCode, detail?: string, options: AimaErrorOptions = {}) {
    super(detail ?? ERRORS[code].title, 'cause' in options ? { cause: options.cause } : undefined);
    this.code = code;
    this.detail = detail ?? ERRORS[code].title;
    this.data = options.data ?? {};
  }

  get row(): ErrorRow {
    return ERRORS[this.code];
  }
}

/**
 * What Postgres or the way to it says while it cannot be reached: the driver's codes, the system's,
 * and SQLSTATE 57P0x (shutting down, starting up) and 53300 (too many connections). The other
 * server that is called from here, the object store, names its own faults (storage/bucket.ts).
 */
const databaseAway =
  /^(CONNECT_TIMEOUT|CONNECTION_(CLOSED|ENDED|DESTROYED)|ECONNREFUSED|ECONNRESET|57P0[123]|53300)$/;

/** The error itself; `database_unavailable` where that is it; or `internal` with what was thrown as its cause. */
export function asAimaError(thrown: unknown): AimaError {
  if (thrown instanceof AimaError) return thrown;
  const detail = thrown instanceof Error ? thrown.message : String(thrown);
  if (databaseAway.test(String((thrown as { code?: unknown } | null)?.code))) {
    return new AimaError('database_unavailable', detail, { cause: thrown });
  }
  return new AimaError('internal', detail, { cause: thrown });
}
