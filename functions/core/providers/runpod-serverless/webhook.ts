/**
 * Where RunPod reports that a lease's job is over. It does not sign what it sends, so the address
 * itself carries a token that only this installation can make, one for each lease.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';

/** @param leaseKey the secret that the passwords of leases are derived from. */
export function webhookToken(leaseKey: string, instanceId: string): string {
  return createHmac('sha256', leaseKey).update(`serverless-webhook:${instanceId}`).digest('base64url');
}

export function isWebhookToken(leaseKey: string, instanceId: string, token: string): boolean {
  const expected = Buffer.from(webhookToken(leaseKey, instanceId));
  const given = Buffer.from(token);
  return given.length === expected.length && timingSafeEqual(given, expected);
}

/** Null where RunPod cannot reach this server, or others could read the token on its way. */
export function webhookAddress(gatewayUrl: string, leaseKey: string, instanceId: string): string | null {
  if (!gatewayUrl.startsWith('https:')) return null;
  const token = webhookToken(leaseKey, instanceId);
  return `${gatewayUrl.replace(/\/+$/, '')}/function/terminate/serverless/${instanceId}/${token}`;
}
