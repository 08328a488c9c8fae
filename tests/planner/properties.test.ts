import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { whyNotEligible } from '../../functions/core/planner/eligible.ts';
import { considering } from '../../functions/core/planner/explain.ts';
import { placeOfInstance } from '../../functions/core/planner/places.ts';
import { type Action, plan } from '../../functions/core/planner/plan.ts';
import { openPurse, reserve } from '../../functions/core/planner/purse.ts';
import { inTurn } from '../../functions/core/planner/turns.ts';
import { decided, situations } from './situation.ts';

const rentsOf = (actions: Action[]) => actions.filter((action) => action.type === 'rent');

describe('whatever it is given, the planner', () => {
  it('decides about every job exactly once, with a reason in one line', () => {
    fc.assert(
      fc.property(situations, (situation) => {
        const actions = plan(situation);
        expect(decided(actions).toSorted()).toEqual(situation.jobs.map((one) => one.jobId).toSorted());
        for (const { because } of actions) expect(because).toMatch(/^[^\n]+$/);
      }),
    );
  });

  it('expects to spend no more than any budget, and lets the leases cost no more together', () => {
    fc.assert(
      fc.property(situations, (situation) => {
        const { policy, spent, instances, learned, nowMs } = situation;
        const purse = openPurse(policy, spent);
        for (const one of instances) reserve(purse, one, placeOfInstance(one, learned, nowMs));
        const before = purse.leftForAll();
        const { observe, considered } = considering(situation);
        const actions = plan(situation, observe);
        const money = new Map(
          considered.jobs.map(({ jobId, places }) => [jobId, places.filter((one) => !one.rejectedBecause)]),
        );
        const rents = rentsOf(actions);
        let expected = rents.reduce((sum, rent) => sum + rent.expectedMicrodollars, 0);
        for (const action of actions) {
          if (action.type !== 'assign') continue;
          const place = money.get(action.jobId)!.find((one) => one.instanceId === action.instanceId)!;
          expected += place.expectedMicrodollars;
        }
        expect(expected).toBeLessThanOrEqual(before);
        const leases = rents.reduce((sum, rent) => sum + rent.maxCostMicrodollars, 0);
        expect(leases).toBeLessThanOrEqual(before);
        for (const rent of rents) {
          expect(rent.leaseMs).toBeLessThanOrEqual(policy.maxLeaseMs);
          expect(rent.leaseMs).toBeGreaterThan(0);
          for (const { startInMs } of rent.jobs) expect(startInMs).toBeLessThan(policy.maxLeaseMs);
        }
      }),
    );
  });

  it('lets no user’s jobs cost more than his day', () => {
    fc.assert(
      fc.property(situations, (situation) => {
        const { policy, spent, instances, learned, nowMs } = situation;
        const purse = openPurse(policy, spent);
        for (const one of instances) reserve(purse, one, placeOfInstance(one, learned, nowMs));
        const byId = new Map(situation.jobs.map((one) => [one.jobId, one]));
        const spentBy = new Map<string, number>();
        // A rent whose jobs are all of one user is his alone.
        for (const rent of rentsOf(plan(situation))) {
          const users = new Set(rent.jobs.map((one) => byId.get(one.jobId)!.userId));
          if (users.size !== 1) continue;
          const [userId] = users as unknown as [string];
          spentBy.set(userId, (spentBy.get(userId) ?? 0) + rent.expectedMicrodollars);
        }
        for (const [userId, microdollars] of spentBy)
          expect(microdollars).toBeLessThanOrEqual(purse.left(userId).microdollars);
      }),
    );
  });

  it('keeps to every limit on what is rented', () => {
    fc.assert(
      fc.property(situations, (situation) => {
        const { policy, instances, offers, barred } = situation;
        const { observe, considered } = considering(situation);
        const rents = rentsOf(plan(situation, observe));
        const couldStay = (jobId: string) =>
          considered.jobs
            .find((one) => one.jobId === jobId)!
            .places.some((place) => !place.interruptible && place.rejectedBecause === null);
        if (rents.length > 0) {
          expect(rents.length + instances.length).toBeLessThanOrEqual(policy.maxInstances);
          const hourly = [...instances, ...rents.map((rent) => rent.offer)].reduce(
            (sum, one) => sum + one.priceMicrodollarsPerHour,
            0,
          );
          expect(hourly).toBeLessThanOrEqual(policy.maxTotalMicrodollarsPerHour);
        }
        for (const one of offers) {
          expect(rents.filter((rent) => rent.offer === one).length).toBeLessThanOrEqual(one.available);
        }
        for (const { offer, jobs } of rents) {
          expect(whyNotEligible(offer, policy, barred)).toBeNull();
          const lost = jobs.some(
            ({ jobId }) =>
              situation.jobs.find((one) => one.jobId === jobId)!.preemptions >= 2 && couldStay(jobId),
          );
          expect(lost && offer.interruptible).toBe(false);
        }
      }),
    );
  });

  it('gives no work to what is ending or in doubt, and ends nothing that it gives work to', () => {
    fc.assert(
      fc.property(situations, (situation) => {
        const actions = plan(situation);
        const given = new Set(
          actions.flatMap((action) => (action.type === 'assign' ? [action.instanceId] : [])),
        );
        for (const { instanceId, state, jobs } of situation.instances) {
          const drained = actions.some(
            (action) => action.type === 'drain' && action.instanceId === instanceId,
          );
          if (state === 'terminating' || state === 'in_doubt')
            expect(given.has(instanceId) || drained).toBe(false);
          else expect(drained).toBe(jobs.length === 0 && !given.has(instanceId));
        }
      }),
    );
  });

  it('decides the same again, in whatever order jobs, offers and instances are listed', () => {
    fc.assert(
      fc.property(situations, (situation) => {
        const turned = {
          ...situation,
          jobs: situation.jobs.toReversed(),
          offers: situation.offers.toReversed(),
          instances: situation.instances.toReversed(),
        };
        expect(plan(turned)).toEqual(plan(situation));
      }),
    );
  });

  it('never rents a dearer twin of an offer that still has stock', () => {
    fc.assert(
      fc.property(situations, fc.integer({ min: 1, max: 500_000 }), (situation, more) => {
        const twins = situation.offers.map((one) => ({
          ...one,
          offerId: `${one.offerId}-twin`,
          priceMicrodollarsPerHour: one.priceMicrodollarsPerHour + more,
        }));
        const rents = rentsOf(plan({ ...situation, offers: [...twins, ...situation.offers] }));
        for (const { offer: chosen } of rents.filter((rent) => rent.offer.offerId.endsWith('-twin'))) {
          const cheap = situation.offers.find((one) => `${one.offerId}-twin` === chosen.offerId)!;
          expect(rents.filter((rent) => rent.offer === cheap).length).toBe(cheap.available);
        }
      }),
    );
  });

  it('has a reason for every offer and place that it rejects, and goes nowhere that it rejected', () => {
    fc.assert(
      fc.property(situations, (situation) => {
        const { observe, considered } = considering(situation);
        const actions = plan(situation, observe);
        for (const { because } of considered.rejectedOffers) expect(because).toMatch(/^[^\n]+$/);
        const open = situation.offers.length - considered.rejectedOffers.length;
        for (const { jobId, places } of considered.jobs) {
          expect(places.filter((one) => one.instanceId === null).length).toBeGreaterThanOrEqual(open);
          const allowed = places.filter((one) => one.rejectedBecause === null);
          expect(places.slice(0, allowed.length)).toEqual(allowed);
          const action = actions.find((one) => one.type === 'assign' && one.jobId === jobId);
          if (action?.type === 'assign')
            expect(allowed.map((one) => one.instanceId)).toContain(action.instanceId);
        }
      }),
    );
  });
});

describe('whoever waits', () => {
  const jobs = fc
    .array(
      fc.record({
        userId: fc.constantFrom('u1', 'u2', 'u3'),
        priority: fc.integer({ min: -10, max: 10 }),
        queuedAtMs: fc.integer({ min: -10_000_000, max: 0 }),
      }),
      { maxLength: 40 },
    )
    .map((list) => list.map((one, n) => ({ ...one, jobId: `j${n}` })));

  it('has at most one turn more than another user who still waits', () => {
    fc.assert(
      fc.property(jobs, (waiting) => {
        const turns = inTurn(waiting, {}, 0);
        expect(turns.map((one) => one.jobId).toSorted()).toEqual(waiting.map((one) => one.jobId).toSorted());
        turns.forEach((_, at) => {
          const had = Map.groupBy(turns.slice(0, at), (one) => one.userId);
          const still = new Set(turns.slice(at).map((one) => one.userId));
          const counts = [...new Set(waiting.map((one) => one.userId))].map(
            (userId) => [userId, had.get(userId)?.length ?? 0] as const,
          );
          for (const [userId, count] of counts)
            if (still.has(userId))
              for (const [, other] of counts) expect(other - count).toBeLessThanOrEqual(1);
        });
      }),
    );
  });

  it('never stands behind one of his own that came later with a priority not higher', () => {
    fc.assert(
      fc.property(jobs, (waiting) => {
        const turns = inTurn(waiting, {}, 0);
        turns.forEach((later, at) => {
          for (const sooner of turns.slice(0, at)) {
            if (sooner.userId !== later.userId) continue;
            expect(sooner.queuedAtMs > later.queuedAtMs && sooner.priority <= later.priority).toBe(false);
          }
        });
      }),
    );
  });
});
