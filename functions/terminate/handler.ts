/**
 * terminate: step 6 of a request. Rung when an instance is to end, and every half minute: asks the
 * provider to end it until it is proven gone, and finds leases that went wrong (core/instances/).
 */
import { z } from 'zod';
import { authenticate } from '../core/auth/caller.ts';
import { core } from '../core/core.ts';
import { AimaError } from '../core/errors.ts';
import { InstanceDrained } from '../core/events/topics.ts';
import { defineFunction } from '../core/http/function.ts';
import { route } from '../core/http/route.ts';
import { idPattern } from '../core/ids.ts';
import { endInstances, startEnding } from '../core/instances/end.ts';
import { sweepLeases } from '../core/sweep.ts';

const InstanceId = z.string().regex(idPattern);

export default defineFunction({
  name: 'terminate',
  authenticate,
  routes: [
    route('POST', '/', {
      caller: 'connector',
      summary: 'End a drained instance (an event), or sweep all leases (the schedule)',
      body: z.union([InstanceDrained, z.object({})]),
      responses: { 204: { description: 'Asked' } },
      async handle({ headers, body }) {
        if (headers['x-topic'] === 'cron-function') await sweepLeases(core());
        else if ('instanceId' in body) await endInstances(core(), body.instanceId);
      },
    }),
    route('POST', '/', {
      caller: 'user',
      summary: 'End an instance now; its jobs go back to the queue',
      body: z.object({ instanceId: InstanceId }),
      responses: {
        200: {
          description: 'Asked; `gone` says whether the provider has proven it already',
          schema: z.object({ instanceId: InstanceId, gone: z.boolean() }),
        },
      },
      errors: ['not_found'],
      async handle({ body: { instanceId } }) {
        const [known] = await core().sql`select from instances where instance_id = ${instanceId}`;
        if (!known) throw new AimaError('not_found', `There is no instance ${instanceId}.`);
        await startEnding(core(), instanceId, 'asked', 'Somebody ended the instance.');
        await endInstances(core(), instanceId);
        const [row] = await core().sql<
          { state: string }[]
        >`select state from instances where instance_id = ${instanceId}`;
        return { instanceId, gone: row!.state === 'terminated' };
      },
    }),
  ],
});
