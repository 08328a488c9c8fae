/**
 * What may still be spent: the budgets less what was spent, less what the machines that live are
 * expected to cost until they have done what they hold, less what this look has planned.
 */
import type { Spent } from '../ledger/spent.ts';
import { price } from '../money.ts';
import type { Place } from './places.ts';
import type { LiveInstance, Policy } from './situation.ts';

export interface Left {
  microdollars: number;
  /** Whose budget it is: `today`, `this month` or `for its user today`. */
  of: string;
}

export interface Purse {
  /** The tightest of the budgets that a job of this user falls under; never below zero. */
  left(userId: string): Left;
  /** The same without a user: what is open to all of them together. */
  leftForAll(): number;
  take(userId: string, microdollars: number): void;
}

type Budgets = Pick<Policy, 'dayMicrodollars' | 'monthMicrodollars' | 'userDayMicrodollars'>;

export function openPurse(budgets: Budgets, spent: Spent): Purse {
  let today = budgets.dayMicrodollars - spent.todayMicrodollars;
  let month = budgets.monthMicrodollars - spent.monthMicrodollars;
  const users = new Map(Object.entries(spent.todayByUser));
  const ofUser = (userId: string) => budgets.userDayMicrodollars - (users.get(userId) ?? 0);
  const leftForAll = () => Math.max(0, Math.min(today, month));
  return {
    leftForAll,
    left(userId) {
      const user = ofUser(userId);
      const least = Math.min(today, month, user);
      const of = least === month ? 'this month' : least === today ? 'today' : 'for its user today';
      return { microdollars: Math.max(0, least), of };
    },
    take(userId, microdollars) {
      today -= microdollars;
      month -= microdollars;
      users.set(userId, (users.get(userId) ?? 0) + microdollars);
    },
  };
}

/** Takes out what a machine that lives is yet expected to cost; each user's share goes by his jobs there. */
export function reserve(purse: Purse, instance: LiveInstance, place: Place): void {
  const count = instance.jobs.length;
  if (count === 0) return;
  const microdollars = price(place.priceMicrodollarsPerHour, place.freeInMs);
  for (const { userId } of instance.jobs) purse.take(userId, Math.ceil(microdollars / count));
}
