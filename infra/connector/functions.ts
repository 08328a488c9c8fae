import { Cron } from 'croner';
import { z } from 'zod';

/** A function that wants to be invoked by events or by the clock, as its annotations say. */
export interface ConnectedFunction {
  name: string;
  /** MQTT topic filters, wildcards included */
  topics: string[];
  /** cron expression in UTC, with an optional field of seconds in front */
  schedule?: string | undefined;
  /** events of one topic that wait together are answered by one invocation with the newest body */
  coalesce: boolean;
  /** how many invocations may run at the same time */
  concurrency: number;
}

export const connectedFunctionSchema: z.ZodType<ConnectedFunction> = z.object({
  name: z.string().min(1),
  topics: z.array(z.string().min(1)),
  schedule: z.string().optional(),
  coalesce: z.boolean(),
  concurrency: z.int().positive(),
});

/** One entry of the gateway's `GET /system/functions`, as far as it matters here. */
export const listedFunctionSchema = z.object({
  name: z.string().min(1),
  annotations: z.record(z.string(), z.string()).nullish(),
});
export type ListedFunction = z.output<typeof listedFunctionSchema>;

/** Enough to overlap waiting for Postgres, few enough that one function does not take all of two cores. */
const DEFAULT_CONCURRENCY = 4;
/** What a function writes into `topic` to be invoked by OpenFaaS's own cron connector; no MQTT topic. */
const CRON_TOPIC = 'cron-function';

const annotationsSchema = z.object({
  topic: z
    .string()
    .default('')
    .transform((list) => [...new Set(list.split(',').map((topic) => topic.trim()))])
    .transform((topics) => topics.filter((topic) => topic !== '' && topic !== CRON_TOPIC)),
  schedule: z.string().trim().refine(isCronExpression, 'is no cron expression').optional(),
  coalesce: z.stringbool().default(false),
  concurrency: z.coerce.number().int().min(1).max(100).default(DEFAULT_CONCURRENCY),
});

/**
 * Reads the annotations `topic` (comma list), `schedule`, `coalesce` and `concurrency`.
 *
 * @returns undefined for a function that asks for nothing, or a sentence about what is wrong
 */
export function readAnnotations(listed: ListedFunction): ConnectedFunction | undefined | { fault: string } {
  const parsed = annotationsSchema.safeParse(listed.annotations ?? {});
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    return { fault: `annotation "${String(issue?.path[0])}" of ${listed.name}: ${issue?.message}` };
  }
  const { topic: topics, schedule, coalesce, concurrency } = parsed.data;
  if (topics.length === 0 && schedule === undefined) return undefined;
  return { name: listed.name, topics, schedule, coalesce, concurrency };
}

function isCronExpression(expression: string): boolean {
  try {
    return new Cron(expression, { paused: true }).nextRun() !== undefined;
  } catch {
    return false;
  }
}
