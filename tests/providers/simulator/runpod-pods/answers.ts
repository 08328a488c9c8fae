/** What RunPod's answers have in common: problems as RFC 9457 writes them, and the quota in headers. */
import type { z } from 'zod';
import type { Clock } from '../clock.ts';
import type { SimAnswer } from '../server.ts';

const titles: Record<number, string> = {
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  409: 'Conflict',
  422: 'Unprocessable Entity',
  429: 'Too Many Requests',
  500: 'Internal Server Error',
};

export function problem(status: number, detail: string, errors?: string[]): SimAnswer {
  return {
    status,
    body: { title: titles[status], status, detail, ...(errors && { errors }) },
    headers: { 'content-type': 'application/problem+json' },
  };
}

export function violations(error: z.ZodError): SimAnswer {
  const errors = error.issues.map((issue) => `$.${issue.path.join('.')}: ${issue.message}`);
  return problem(422, 'Request validation failed.', errors);
}

export interface Quota {
  /** Counts one request. @returns how many seconds to wait where it was one too many. */
  take(): number | null;
  headers(): Record<string, string>;
}

/** By whole minutes of the market's clock. */
export function openQuota(clock: Clock, perMinute: number): Quota {
  let minute = 0;
  let used = 0;
  const secondsLeft = () => Math.ceil(((minute + 1) * 60_000 - clock.nowMs()) / 1000);
  return {
    take() {
      const now = Math.floor(clock.nowMs() / 60_000);
      if (now !== minute) used = 0;
      minute = now;
      return used++ < perMinute ? null : secondsLeft();
    },
    headers: () => ({
      RateLimit: `"minute";r=${Math.max(0, perMinute - used)};t=${secondsLeft()}`,
      'RateLimit-Policy': `"minute";q=${perMinute};w=60`,
    }),
  };
}
