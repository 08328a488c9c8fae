/**
 * jobs: what people do with jobs once they are submitted. read.ts finds and shows them, exports.ts
 * gives their results to other programs, control.ts cancels, retries and deletes them.
 */
import { authenticate } from '../core/auth/caller.ts';
import { defineFunction } from '../core/http/function.ts';
import { controlRoutes } from './control.ts';
import { exportRoutes } from './exports.ts';
import { readRoutes } from './read.ts';

export default defineFunction({
  name: 'jobs',
  authenticate,
  routes: [...readRoutes, ...exportRoutes, ...controlRoutes],
});
