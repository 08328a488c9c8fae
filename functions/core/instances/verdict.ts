/**
 * Whether a lease has gone wrong, from its row and what its provider last said: pure. Every phase has
 * a deadline of its own, so that a machine that is stuck is known by where it is stuck:
 *
 *   create asked → accepted → image pulled → worker ready → first progress
 *
 * What the provider says is only believed where it is bad news: `running` is said of machines that
 * still pull their image (facts: alignment-hive #98), readiness is the worker's hello alone.
 */
import type { Machine } from '../providers/provider.ts';

export interface LeaseFacts {
  state: 'requested' | 'in_doubt' | 'booting' | 'ready';
  /** Since the create was asked for. */
  ageMs: number;
  /** Beyond its deadline. */
  isOverdue: boolean;
  /** Since the worker program first began; null where it has not. */
  sinceStartedMs: number | null;
  /** How often it began. */
  starts: number;
  /** Since the last heartbeat. */
  silentMs: number | null;
  /** How long the job that it works on has run without any progress; null where there was some or none runs. */
  withoutProgressMs: number | null;
  /** What its provider said of it just now; null where it was not asked or the machine is not shown. */
  status: Machine['status'] | null;
  /** Its provider was listed whole just now. */
  isListed: boolean;
}

export interface Patience {
  createTimeoutMs: number;
  listLagMs: number;
  pullTimeoutMs: number;
  loadTimeoutMs: number;
  lostContactMs: number;
  firstProgressMs: number;
}

/** `doubt`: the answer to create will not come any more. `end`: the lease ends for this reason. */
export type Verdict = { act: 'doubt' } | { act: 'end'; reason: EndReason; detail: string };

/**
 * Why a lease ends. `died` are those that nobody chose: they count against the jobs that were there,
 * which may be what killed it.
 */
export const endReasons = {
  done: { died: false },
  asked: { died: false },
  stop_everything: { died: false },
  budget: { died: false },
  dearer: { died: false },
  broken: { died: false },
  preempted: { died: false },
  unfit: { died: false },
  worker_left: { died: false },
  never_appeared: { died: true },
  start_failed: { died: true },
  pull_timeout: { died: true },
  load_timeout: { died: true },
  crash_loop: { died: true },
  no_progress: { died: true },
  lost_contact: { died: true },
  vanished: { died: true },
  deadline: { died: true },
} as const;

export type EndReason = keyof typeof endReasons;

/** A program that begins a third time without having said hello will not say it. */
const startsOfACrashLoop = 3;

export function judge(lease: LeaseFacts, patience: Patience): Verdict | null {
  const end = (reason: EndReason, detail: string): Verdict => ({ act: 'end', reason, detail });
  if (lease.isOverdue) return end('deadline', 'The instance reached the end of its lease.');
  if (lease.status === 'preempted') return end('preempted', 'The provider took the machine away.');
  switch (lease.state) {
    case 'requested':
      return lease.ageMs > patience.createTimeoutMs ? { act: 'doubt' } : null;
    case 'in_doubt':
      return lease.isListed && lease.ageMs > patience.createTimeoutMs + patience.listLagMs
        ? end('never_appeared', 'The provider never showed the instance.')
        : null;
    case 'booting':
      return judgeBoot(lease, patience, end);
    case 'ready':
      if ((lease.silentMs ?? 0) > patience.lostContactMs)
        return end('lost_contact', `The worker was silent for ${seconds(lease.silentMs!)}.`);
      if ((lease.withoutProgressMs ?? 0) > patience.firstProgressMs)
        return end('no_progress', `The job made no progress in ${seconds(lease.withoutProgressMs!)}.`);
      return null;
  }
}

function judgeBoot(
  lease: LeaseFacts,
  patience: Patience,
  end: (reason: EndReason, detail: string) => Verdict,
): Verdict | null {
  if (lease.status === 'failed')
    return end('start_failed', 'The provider says that the machine does not come up.');
  if (lease.starts >= startsOfACrashLoop)
    return end('crash_loop', `The worker began ${lease.starts} times and was never ready.`);
  if (lease.sinceStartedMs === null) {
    return lease.ageMs > patience.pullTimeoutMs
      ? end('pull_timeout', `The worker did not begin in ${seconds(lease.ageMs)}.`)
      : null;
  }
  return lease.sinceStartedMs > patience.loadTimeoutMs
    ? end('load_timeout', `The worker was not ready ${seconds(lease.sinceStartedMs)} after it began.`)
    : null;
}

function seconds(ms: number): string {
  return `${Math.round(ms / 1000)} s`;
}
