import { describe, expect, test } from 'vitest';
import budget from '../../scripts/bench/idle/budget.json' with { type: 'json' };
import { embeddedUsage } from '../../scripts/bench/idle/embedded.ts';
import { functionsIdle } from '../../scripts/bench/idle/functions.ts';
import { idleHour } from '../../scripts/bench/idle/hour.ts';
import { simulatedProviders } from '../providers/simulated.ts';
import { startStack } from '../stack/start-stack.ts';

/** What idling may cost stands in a file: whoever needs more raises it there, in the open. */
describe('the idle budget', () => {
  test('of memory, and of what is deployed', async () => {
    const stack = await startStack({ models: false });
    try {
      const { memory, bundleKbMax } = await functionsIdle(stack);
      const pssMb = Object.values(memory).reduce((sum, one) => sum + one.pssMb, 0);
      expect(Object.keys(memory)).toHaveLength(6);
      expect(pssMb).toBeGreaterThan(0);
      expect(pssMb).toBeLessThanOrEqual(budget.functions_pss_mb);
      const embedded = Object.values(await embeddedUsage(stack));
      expect(embedded.reduce((sum, one) => sum + one.pssMb, 0)).toBeLessThanOrEqual(budget.idle_pss_mb);
      expect(bundleKbMax).toBeLessThanOrEqual(budget.bundle_kb_max);
    } finally {
      await stack.remove();
    }
  });

  test.each(simulatedProviders.slice(0, 2))(
    'of an hour of sweeps with nothing to do, at $name',
    async (provider) => {
      const { writesPerMin, providerCallsPerHour } = await idleHour(provider);
      expect(writesPerMin).toBeLessThanOrEqual(budget.idle_writes_per_min);
      expect(providerCallsPerHour).toBeLessThanOrEqual(budget.idle_provider_calls_per_h);
      // It is looked at, for what may have been forgotten there.
      expect(providerCallsPerHour).toBeGreaterThan(0);
    },
  );
});
