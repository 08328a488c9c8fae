/** Figures for Prometheus. Its server holds a token of its own, which opens nothing else. */
import { core } from '../core/core.ts';
import type { Audience } from '../core/http/caller.ts';
import { reply } from '../core/http/reply.ts';
import { route } from '../core/http/route.ts';
import { metricsContentType } from '../core/metrics/exposition.ts';
import { readMetrics } from '../core/metrics/metrics.ts';

function metricsFor(caller: Exclude<Audience, 'anyone'>) {
  return route('GET', '/metrics', {
    caller,
    summary: 'Figures for Prometheus',
    description: "With the secret `metrics-token`, which opens nothing else, or a user's token.",
    responses: {
      200: { description: 'Text format 0.0.4', contentType: 'text/plain' },
    },
    errors: ['database_unavailable'],
    handle: async () =>
      reply({ headers: { 'content-type': metricsContentType }, body: await readMetrics(core()) }),
  });
}

export const metricsRoutes = [metricsFor('scraper'), metricsFor('user')];
