/**
 * jobs: what people do with jobs once they are submitted. read.ts finds and shows them, search.ts
 * looks through what they found, similar.ts finds pictures by a picture, people.ts has who is seen in them,
 * exports.ts gives their results to other programs, control.ts cancels, retries and deletes them. health.ts and
 * metrics.ts tell how all of it is doing.
 */
import { authenticate } from '../core/auth/caller.ts';
import { defineFunction } from '../core/http/function.ts';
import { controlRoutes } from './control.ts';
import { exportRoutes } from './exports.ts';
import { healthRoutes } from './health.ts';
import { metricsRoutes } from './metrics.ts';
import { peopleRoutes } from './people.ts';
import { readRoutes } from './read.ts';
import { searchRoutes } from './search.ts';
import { similarRoutes } from './similar.ts';

export default defineFunction({
  name: 'jobs',
  authenticate,
  routes: [
    ...readRoutes,
    ...searchRoutes,
    ...similarRoutes,
    ...peopleRoutes,
    ...exportRoutes,
    ...controlRoutes,
    ...healthRoutes,
    ...metricsRoutes,
  ],
});
