/** A machine that costs more than was agreed to is ended. Some providers tell at once, some only later. */
import type { Core } from '../core.ts';
import { hourly } from '../money.ts';
import { startEnding } from './end.ts';

/** What is billed may differ from what was offered by rounding, and by no more. */
const mostDearer = 1.02;

/** Both prices in micro-dollars an hour. It is billed as the provider says until it is gone. */
export async function endIfDearer(
  core: Core,
  instanceId: string,
  agreed: number,
  billed: number,
): Promise<void> {
  if (billed <= agreed * mostDearer) return;
  await core.sql`
    update instances set price_microdollars_per_hour = ${billed} where instance_id = ${instanceId}`;
  await startEnding(
    core,
    instanceId,
    'dearer',
    `It was rented for ${hourly(agreed)} and costs ${hourly(billed)}.`,
  );
}
