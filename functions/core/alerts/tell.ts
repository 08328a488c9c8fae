/**
 * Tells alerts to every address of the secret `alert-urls`, until each has it. Without addresses
 * they are only shown.
 *
 * Taking a row counts the try and puts the next one off, in one statement: of two of us only one
 * gets it, and after a crash in the middle it is told again; receivers know it by its id. Who has
 * it already is kept, so that one address which fails does not make the others hear it twice.
 */

import type { Core } from '../core.ts';
import { log } from '../log.ts';
import { type Address, alertAddresses } from './addresses.ts';
import type { Severity } from './alerts.ts';
import { type Message, send } from './send.ts';

const firstPauseSeconds = 30;
/** An open alert is told as long as it is open; that one is over only for a day. */
const longestPauseSeconds = 3600;
const mostAtOnce = 20;

interface Due {
  alertId: number;
  key: string;
  severity: Severity;
  text: string;
  data: Record<string, unknown>;
  raisedAt: Date;
  resolvedAt: Date | null;
  toldTo: string[];
}

/** @returns how many alerts everybody has now been told. */
export async function tellAlerts(core: Core): Promise<number> {
  const addresses = alertAddresses(core.config);
  if (addresses.length === 0) return 0;
  const due = await core.sql<Due[]>`
    update alerts set tries = least(tries + 1, 1000),
      next_try_at = case when resolved_at is null or resolved_at > now() - interval '1 day'
        then now() + make_interval(secs => least(${longestPauseSeconds}, ${firstPauseSeconds} * 2 ^ least(tries, 10))) end
    where alert_id in (
      select alert_id from alerts where next_try_at <= now() order by next_try_at limit ${mostAtOnce} for update skip locked)
    returning alert_id, key, severity, text, data, raised_at, resolved_at, told_to`;
  const told = await Promise.all(due.map((alert) => tell(core, addresses, alert)));
  return told.filter(Boolean).length;
}

async function tell(core: Core, addresses: Address[], alert: Due): Promise<boolean> {
  const message = messageOf(alert);
  const reached = await Promise.all(
    addresses.map(async (address) => {
      if (alert.toldTo.includes(address.id)) return true;
      try {
        await send(address, message, () => core.config.secret('webhook-secret'));
        return true;
      } catch (error) {
        // Neither names more than a host: no password of an address gets into the log.
        const { message, cause } = error as Error & { cause?: { code?: string } };
        log.error('an alert was not told', {
          alertId: alert.alertId,
          kind: address.kind,
          address: address.id,
          reason: cause?.code ?? message,
        });
        return false;
      }
    }),
  );
  const toldTo = addresses.filter((_, index) => reached[index]).map(({ id }) => id);
  const isTold = reached.every(Boolean);
  // Not where it was resolved meanwhile: then "over" is to be told, and to everybody.
  await core.sql`
    update alerts set told_to = ${toldTo},
      told_at = case when ${isTold} then clock_timestamp() end,
      next_try_at = case when not ${isTold} then next_try_at end
    where alert_id = ${alert.alertId} and (resolved_at is null) = ${alert.resolvedAt === null}`;
  return isTold;
}

function messageOf({ alertId, key, severity, text, data, raisedAt, resolvedAt }: Due): Message {
  const isOver = resolvedAt !== null;
  return {
    id: `alert-${alertId}-${isOver ? 'resolved' : 'raised'}`,
    isOver,
    severity,
    text,
    at: resolvedAt ?? raisedAt,
    data: { alertId, key, severity, text, data, raisedAt, resolvedAt },
  };
}
