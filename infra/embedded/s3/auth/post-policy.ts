import { z } from 'zod';
import { S3Error } from '../protocol/errors.ts';

/**
 * POST policies: what the signer of a browser form allows. Pure.
 * https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-HTTPPOSTConstructPolicy.html
 */

const operator = z.string().transform((name) => name.toLowerCase());
const size = z
  .union([
    z.number(),
    z
      .string()
      .regex(/^\d{1,16}$/)
      .transform(Number),
  ])
  .pipe(z.int().min(0));

const condition = z.union([
  z.tuple([operator.pipe(z.literal('content-length-range')), size, size]),
  z.tuple([operator.pipe(z.enum(['eq', 'starts-with'])), z.string().startsWith('$'), z.string()]),
  z.record(z.string(), z.string()),
]);

const policyDocument = z.object({
  expiration: z.iso.datetime({ offset: true }),
  conditions: z.array(condition),
});

/** How large the file may be, bytes, both inclusive. */
export interface SizeLimits {
  minimum: number;
  maximum: number;
}

/** Fields that need no condition: they are the policy, its signature, or the file. */
const EXEMPT = new Set([
  'policy',
  'x-amz-signature',
  'x-amz-algorithm',
  'x-amz-credential',
  'x-amz-date',
  'file',
]);

/**
 * Checks a form against its policy, whose signature the caller has verified. Every condition must hold, every field
 * must have one, and bucket and key must be bound.
 * @param fields the form's fields, lower-case names, with `bucket` and the final `key`
 * @param maximumBytes where the policy sets no limit
 * @throws {S3Error} InvalidPolicyDocument, AccessDenied
 */
export function checkPolicy(
  policyBase64: string,
  fields: ReadonlyMap<string, string>,
  now: number,
  maximumBytes: number,
): SizeLimits {
  const { expiration, conditions } = readPolicy(policyBase64);
  if (Date.parse(expiration) <= now)
    throw new S3Error('AccessDenied', 'Invalid according to Policy: Policy expired.');
  const limits = { minimum: 0, maximum: maximumBytes };
  const bound = new Set<string>();
  const check = (name: string, holds: (value: string) => boolean): void => {
    bound.add(name);
    if (!holds(fields.get(name) ?? ''))
      throw new S3Error('AccessDenied', `Invalid according to Policy: ${name}.`);
  };
  for (const entry of conditions) {
    if (!Array.isArray(entry)) {
      for (const [name, expected] of Object.entries(entry))
        check(name.toLowerCase(), (value) => value === expected);
    } else if (entry[0] === 'content-length-range') {
      limits.minimum = Math.max(limits.minimum, entry[1]);
      limits.maximum = Math.min(limits.maximum, entry[2]);
    } else {
      const [how, field, expected] = entry;
      const exact = how === 'eq';
      check(field.slice(1).toLowerCase(), (value) =>
        exact ? value === expected : value.startsWith(expected),
      );
    }
  }
  if (!bound.has('bucket') || !bound.has('key'))
    throw new S3Error('AccessDenied', 'The policy binds no bucket or key.');
  for (const name of fields.keys()) {
    if (!bound.has(name) && !EXEMPT.has(name) && !name.startsWith('x-ignore-')) {
      throw new S3Error('AccessDenied', `Invalid according to Policy: Extra input fields: ${name}.`);
    }
  }
  return limits;
}

function readPolicy(policyBase64: string): z.infer<typeof policyDocument> {
  try {
    return policyDocument.parse(JSON.parse(Buffer.from(policyBase64, 'base64').toString()));
  } catch (error) {
    throw new S3Error(
      'InvalidPolicyDocument',
      error instanceof z.ZodError ? z.prettifyError(error) : undefined,
    );
  }
}
