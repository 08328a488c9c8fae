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
import { Stopped, stopAllLeases } from '../core/instances/stop-leases.ts';
import { sweepLeases } from '../core/sweep.ts';
import { onServerlessWebhook } from './serverless-webhook.ts';

const InstanceId = z.string().regex(idPattern);

/** The function may take 55 s (stack.yml): some of it is left for an answer that is already on its way. */
const stopPatienceMs = 40_000;

const End = z.strictObject({ instanceId: InstanceId });
const EndAll = z.strictObject({ all: z.literal(true) });
const Ended = z.object({ instanceId: InstanceId, gone: z.boolean() });

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
      summary: 'End an instance now, or everything; jobs go back to the queue',
      description:
        'With `all` the queue is held first, until somebody releases it; then every machine of ours is ended, also those that nobody knows of.',
      body: z.union([End, EndAll]),
      responses: {
        200: {
          description:
            'Asked; `gone` and `confirmed` say whether the provider has proven it already. What is not proven yet is asked for again until it is.',
          schema: z.union([Ended, Stopped]),
        },
      },
      errors: ['not_found'],
      handle: ({ body }) => ('all' in body ? stopAllLeases(core(), stopPatienceMs) : endOne(body.instanceId)),
    }),
    route('POST', '/serverless/:instanceId/:token', {
      caller: 'anyone',
      summary: 'RunPod Serverless says that a job is over; the token in the address is its proof',
      params: z.object({ instanceId: InstanceId, token: z.string().max(100) }),
      responses: { 200: { description: 'Heard', schema: z.object({}) } },
      errors: ['not_found'],
      async handle({ params: { instanceId, token } }) {
        await onServerlessWebhook(core(), instanceId, token);
        // RunPod tells again until it hears a 200.
        return {};
      },
    }),
  ],
});

/** @throws AimaError `not_found`. */
async function endOne(instanceId: string): Promise<z.infer<typeof Ended>> {
  const [known] = await core().sql`select from instances where instance_id = ${instanceId}`;
  if (!known) throw new AimaError('not_found', `There is no instance ${instanceId}.`);
  await startEnding(core(), instanceId, 'asked', 'Somebody ended the instance.');
  await endInstances(core(), instanceId);
  const [row] = await core().sql<{ state: string }[]>`
    select state from instances where instance_id = ${instanceId}`;
  return { instanceId, gone: row!.state === 'terminated' };
}
