/**
 * on-complete: step 5 of a request. Rung by a worker that finished a job or has none left. What the
 * worker says is only a hint: what is true stands in Postgres. First the planner looks, since an
 * instance with nothing left to do costs money; then the job is settled.
 */
import { authenticate } from '../core/auth/caller.ts';
import { core } from '../core/core.ts';
import { defineFunction } from '../core/http/function.ts';
import { route } from '../core/http/route.ts';
import { settleJobs } from '../core/jobs/settle.ts';
import { decide } from '../core/planner/decide.ts';
import { deliverWebhooks } from '../core/webhooks/deliver.ts';

export default defineFunction({
  name: 'on-complete',
  authenticate,
  routes: [
    route('POST', '/', {
      caller: 'connector',
      summary: 'A worker finished something',
      responses: { 204: { description: 'Settled' } },
      async handle() {
        await decide(core());
        const settled = await settleJobs(core());
        if (settled.length > 0) await deliverWebhooks(core());
      },
    }),
  ],
});
