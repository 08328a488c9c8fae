/** Whether this installation is well: for people, for the server's own watch and for whatever looks from outside. */
import { authenticate } from '../core/auth/caller.ts';
import { core } from '../core/core.ts';
import { currentHealth } from '../core/health/health.ts';
import { Health } from '../core/health/shapes.ts';
import { reply } from '../core/http/reply.ts';
import { route } from '../core/http/route.ts';

export const healthRoutes = [
  route('GET', '/health', {
    caller: 'anyone',
    summary: 'Whether this installation is well, and what is not',
    description:
      'Without a token only `status`; with one also every finding: what is wrong, since when, and what to do. Looked at every five seconds at the most.',
    responses: {
      200: { description: 'Well, or nothing that could not wait', schema: Health },
      503: { description: 'Something is broken that a person should see to now', schema: Health },
    },
    errors: ['unauthorized'],
    async handle({ headers }) {
      // Whoever shows a token is told whether it is one.
      const isKnown = headers.authorization !== undefined && authenticate(headers) !== null;
      const health = await currentHealth(core());
      return reply({
        status: health.status === 'broken' ? 503 : 200,
        body: isKnown ? health : { status: health.status },
      });
    },
  }),
];
