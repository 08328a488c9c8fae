import type { Address } from '../../../functions/core/alerts/addresses.ts';
import { send } from '../../../functions/core/alerts/send.ts';

export interface ServerTrouble {
  /** Which part of the server, such as `database`. */
  part: string;
  isOver: boolean;
  /** A sentence for people. */
  text: string;
  at: Date;
}

/** @returns for each address that did not take it why, without naming more of it than its kind. */
export async function tellOfServer(
  { part, isOver, text, at }: ServerTrouble,
  addresses: readonly Address[],
  webhookSecret: () => string,
): Promise<string[]> {
  const message = {
    // Nothing keeps a number for it: two tellings of one trouble are at least three minutes apart.
    id: `server-${part}-${at.getTime()}-${isOver ? 'resolved' : 'raised'}`,
    isOver,
    severity: 'critical' as const,
    text,
    at,
    data: { key: `server:${part}`, severity: 'critical', text },
  };
  const outcomes = await Promise.allSettled(
    addresses.map((address) => send(address, message, webhookSecret)),
  );
  return outcomes.flatMap((outcome, index) => {
    if (outcome.status === 'fulfilled') return [];
    const { message: said, cause } = outcome.reason as Error & { cause?: { code?: string } };
    const { kind, id } = addresses[index]!;
    return [`${kind} ${id}: ${cause?.code ?? said}`];
  });
}
