/**
 * What the planner is told: everything it decides from, in one value, so that the same value gives
 * the same decisions. snapshot.ts reads it from Postgres. Times with `AtMs` are since the epoch.
 */
import type { Spent } from '../ledger/spent.ts';
import type { Offer } from '../providers/provider.ts';
import type { Work } from './estimate.ts';
import type { Learned } from './learned.ts';
import type { Quote } from './quote.ts';

export interface QueuedJob extends Work {
  jobId: string;
  userId: string;
  priority: number;
  queuedAtMs: number;
  /** When its result is wanted. */
  deadlineAtMs: number | null;
  /** The most it may cost, all attempts together, and what earlier ones have cost. */
  maxCostMicrodollars: number | null;
  spentMicrodollars: number;
  /** How often the machine that it was on was taken away. */
  preemptions: number;
  /** A machine was asked for it, and whether there is one is not known yet. */
  isInDoubt: boolean;
  /** null: not quoted yet, because there were no offers. */
  quote: Quote | null;
  /** The most that a person agreed to; null where nobody was asked. */
  confirmedMicrodollars: number | null;
}

/** A job that an instance was given and has not finished. */
export interface HeldJob extends Work {
  userId: string;
  /** 0..1 */
  progress: number;
}

export interface LiveInstance {
  instanceId: string;
  state: 'requested' | 'in_doubt' | 'booting' | 'ready' | 'terminating';
  /** What was taken. */
  offer: Offer;
  /** What it really costs. */
  priceMicrodollarsPerHour: number;
  requestedAtMs: number;
  deadlineAtMs: number;
  jobs: HeldJob[];
}

export interface Policy {
  /** Of one offer. */
  maxPriceMicrodollarsPerHour: number;
  /** Of everything that runs at the same time. */
  maxTotalMicrodollarsPerHour: number;
  maxInstances: number;
  maxLeaseMs: number;
  dayMicrodollars: number;
  monthMicrodollars: number;
  userDayMicrodollars: number;
  /** What an hour of waiting for a result is worth. */
  waitMicrodollarsPerHour: number;
  /** A job that may cost more is asked about. */
  confirmAboveMicrodollars: number;
  /** In order of preference at equal cost. */
  providers: string[];
  /** Only offers whose region contains one of these; empty: all. */
  regions: string[];
  interruptible: boolean;
  minVramMb: number;
  minCuda: number;
  minReliability: number;
}

/** What nothing is rented of for now, with the reason for people. */
export interface Barred {
  providers: Record<string, string>;
  /** By `barredKey`. */
  offersAndHosts: Record<string, string>;
}

export function barredKey(provider: string, kind: 'offer' | 'host', key: string): string {
  return `${provider} ${kind} ${key}`;
}

export interface Situation {
  nowMs: number;
  /** Somebody holds the queue: every job waits. */
  held: boolean;
  jobs: QueuedJob[];
  /** All that are not proven gone. */
  instances: LiveInstance[];
  offers: Offer[];
  policy: Policy;
  barred: Barred;
  spent: Spent;
  learned: Learned;
}
