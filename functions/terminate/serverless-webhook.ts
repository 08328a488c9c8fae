/** RunPod's word that a serverless job is over. It proves nothing: we look at once instead of at the next sweep. */
import type { Core } from '../core/core.ts';
import { AimaError } from '../core/errors.ts';
import { endInstances } from '../core/instances/end.ts';
import { sweepInstances } from '../core/instances/sweep.ts';
import { isWebhookToken } from '../core/providers/runpod-serverless/webhook.ts';

/** @throws AimaError `not_found` for a token that is not ours: nobody learns which instances there are. */
export async function onServerlessWebhook(core: Core, instanceId: string, token: string): Promise<void> {
  if (!isWebhookToken(core.config.secret('lease-key'), instanceId, token))
    throw new AimaError('not_found', 'There is nothing here.');
  const [lease] = await core.sql<{ provider: string }[]>`
    update instances set next_look_at = now() where instance_id = ${instanceId} and state <> 'terminated'
    returning provider`;
  // RunPod tells again where it heard no 200: by then the lease may be over.
  if (!lease) return;
  await core.sql`update providers set next_look_at = now() where provider = ${lease.provider}`;
  await sweepInstances(core);
  await endInstances(core, instanceId);
}
