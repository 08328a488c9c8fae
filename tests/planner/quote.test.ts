import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { priorWorkMs, type Work } from '../../functions/core/planner/estimate.ts';
import { learn } from '../../functions/core/planner/learned.ts';
import { openOffers, plan } from '../../functions/core/planner/plan.ts';
import { quoteOf } from '../../functions/core/planner/quote.ts';
import type { Situation } from '../../functions/core/planner/situation.ts';
import { hourMs, job, look, offer, policy, situations } from './situation.ts';

const film: Work = {
  analyses: ['transcribe', 'scenes'],
  kind: 'video',
  durationMs: hourMs,
  sizeBytes: 500_000_000,
};

const quote = (situation: Partial<Situation>, work: Work = film) => {
  const full = look(situation);
  return quoteOf(work, openOffers(full), full.policy, full.nowMs);
};

describe('a quote', () => {
  it('is from warm and cheap to alone and slow, and says what it stands on', () => {
    const dear = offer({ offerId: 'b', priceMicrodollarsPerHour: 800_000 });
    const told = quote({ offers: [offer(), dear] })!;
    expect(told.minMicrodollars).toBeLessThan(told.expectedMicrodollars);
    expect(told.expectedMicrodollars).toBeLessThan(told.maxMicrodollars);
    expect(told.minMinutes).toBeLessThan(told.maxMinutes);
    expect(told).toMatchObject({ offersConsidered: 2, basedOn: { runs: 0 } });
    expect(told.because).toBe('cheap RTX 3090 at $0.200 an hour: 2.0 min until it is ready, 36.4 s of work');
    // The machine that is expected: its boot, failures and work, and nothing else.
    expect(told.expectedMicrodollars).toBeGreaterThan((200_000 * (90_000 + 32_400)) / hourMs);
  });

  it('is nothing where nothing may be rented', () => {
    expect(quote({})).toBeNull();
    expect(quote({ offers: [offer({ vramMb: 8_000 })] })).toBeNull();
    expect(quote({ offers: [offer()], policy: { ...policy, maxLeaseMs: 1000 } })).toBeNull();
  });

  it('is told for later: what is just out of stock counts', () => {
    expect(quote({ offers: [offer({ available: 0 })] })).toEqual(quote({ offers: [offer()] }));
  });

  it('costs nothing on a machine of one’s own', () => {
    const own = offer({ gpu: null, vramMb: 0, priceMicrodollarsPerHour: 0 });
    expect(quote({ offers: [own] })).toMatchObject({ minMicrodollars: 0, maxMicrodollars: 0 });
  });

  it('comes near to what such runs took, and closer together, the more there were', () => {
    const took = (count: number) =>
      learn(
        [],
        Array.from({ length: count }, (_, n) => ({
          ...film,
          ...{ provider: 'cheap', gpu: 'RTX 3090', speed: 20, transferMs: null },
          tookMs: (priorWorkMs(film) / 20) * (3 + (n % 3) * 0.1),
        })),
      );
    const told = (count: number) => quote({ offers: [offer()], learned: took(count) })!;
    const spread = (count: number) => told(count).maxMicrodollars / told(count).minMicrodollars;
    expect(told(20).basedOn.runs).toBe(20);
    expect(told(20).expectedMicrodollars).toBeGreaterThan(told(0).expectedMicrodollars);
    const { factorOf } = openOffers(look({ offers: [offer()], learned: took(20) }))[0]!.pace;
    expect(factorOf('video|scenes+transcribe').expected / 3.1).toBeGreaterThan(0.9);
    expect(spread(20)).toBeLessThan(spread(1));
  });

  it('is in order, whatever there is, and what the plan then expects of that machine alone', () => {
    fc.assert(
      fc.property(situations, (situation) => {
        const open = openOffers(situation);
        for (const one of situation.jobs) {
          const told = quoteOf(one, open, situation.policy, situation.nowMs);
          if (!told) continue;
          const { minMicrodollars, expectedMicrodollars, maxMicrodollars } = told;
          expect(minMicrodollars).toBeLessThanOrEqual(expectedMicrodollars);
          expect(expectedMicrodollars).toBeLessThanOrEqual(maxMicrodollars);
          expect(told.minMinutes).toBeLessThanOrEqual(told.expectedMinutes);
          expect(told.expectedMinutes).toBeLessThanOrEqual(told.maxMinutes);
        }
      }),
    );
    const alone = look({ jobs: [job('j', film)], offers: [offer()] });
    const [rent] = plan(alone);
    expect(rent).toMatchObject({ expectedMicrodollars: quote({ offers: [offer()] })!.expectedMicrodollars });
  });
});
