/** What `jobs` answers about the health of this installation. */
import { z } from 'zod';

const at = z.iso.datetime();

export const Finding = z
  .object({
    part: z.enum([
      'database',
      'objects',
      'broker',
      'sweep',
      'machine',
      'provider',
      'money',
      'queue',
      'disk',
      'other',
    ]),
    severity: z.enum(['warning', 'critical']),
    what: z.string().meta({ description: 'What is wrong, in a sentence' }),
    sinceAt: at.nullable().meta({ description: 'Since when, as far as it is known' }),
    advice: z.string().meta({ description: 'What a person does about it' }),
  })
  .meta({ id: 'HealthFinding' });

export const Health = z
  .object({
    status: z
      .enum(['ok', 'degraded', 'broken'])
      .meta({ description: 'broken: something critical; degraded: something that can wait' }),
    checkedAt: at.optional(),
    findings: z
      .array(Finding)
      .optional()
      .meta({ description: 'The worst first; only for callers with a token' }),
  })
  .meta({ id: 'Health' });

export type Finding = z.infer<typeof Finding>;
/** As whoever shows a token hears it. */
export interface WholeHealth {
  status: z.infer<typeof Health>['status'];
  checkedAt: string;
  findings: Finding[];
}
