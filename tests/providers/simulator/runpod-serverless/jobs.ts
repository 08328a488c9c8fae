/**
 * The job queue of a simulated RunPod endpoint: every job is a machine of the market, from its
 * submission on. Who runs it is told when the queue is opened: the market itself, as if a worker were
 * always there, or real workers that take it (external).
 */
import { randomUUID } from 'node:crypto';
import type { Clock } from '../clock.ts';
import type { Fault } from '../faults.ts';
import {
  type Container,
  type MarketMachine,
  type MarketOffer,
  openMarket,
  type StartContainer,
} from '../market.ts';
import { openHappening } from './happening.ts';
import { openRoster, pingGraceMs } from './roster.ts';

const retentionMs = 30 * 60_000;
/** A webhook that was not answered with 200 is sent twice more. */
const webhookTries = 3;
const webhookPauseMs = 10_000;

export type JobState = 'IN_QUEUE' | 'IN_PROGRESS' | 'COMPLETED' | 'FAILED' | 'CANCELLED' | 'TIMED_OUT';
type FinalState = Exclude<JobState, 'IN_QUEUE' | 'IN_PROGRESS'>;

export interface Submission {
  input: Record<string, unknown>;
  webhook?: string;
  policy?: { executionTimeout?: number; ttl?: number };
}

export interface SimJob {
  machine: MarketMachine;
  submission: Submission;
  workerId: string | null;
  startedAtMs: number | null;
  endedAtMs: number | null;
  /** How it ended; null while it has not. */
  outcome: FinalState | null;
  output?: unknown;
  error?: string;
  pingedAtMs: number;
}

export interface JobsOptions {
  clock: Clock;
  offers: MarketOffer[];
  external: boolean;
  acceptMs?: number;
  pullMs?: number;
  startContainer?: StartContainer;
}

export type Jobs = ReturnType<typeof openJobs>;

export function openJobs(options: JobsOptions) {
  const { clock, external, startContainer, ...rest } = options;
  const jobs = new Map<string, SimJob>();
  const counts = { completed: 0, failed: 0, retried: 0 };
  const roster = openRoster(clock.nowMs);
  const happening = openHappening();
  const timers = new Set<() => void>();

  const later = (ms: number, run: () => void) => {
    const cancel = clock.after(ms, () => {
      timers.delete(cancel);
      run();
    });
    timers.add(cancel);
  };
  const market = openMarket({
    ...rest,
    clock,
    boots: !external,
    onExit: 'end',
    billedFrom: 'running',
    newId: () => `${randomUUID()}-u1`,
    inContainer: ({ id }) => ({ AIMA_PROVIDER_INSTANCE_ID: id }),
    startContainer(machine, market, environment): Container {
      const job = jobs.get(machine.id);
      // A worker that crashes takes no job: it waits on, and the worker is billed.
      if (job && canStart(machine)) {
        start(job, `worker-${machine.id.slice(0, 8)}`);
        if (startContainer) {
          const container = startContainer(machine, market, environment);
          return {
            ...container,
            ended: container.ended.then(() => finish(job, 'COMPLETED', { output: {} })),
          };
        }
      }
      const { promise, resolve } = Promise.withResolvers<void>();
      return { kill: resolve, ended: promise };
    },
  });
  // Whatever ends a machine ends its job: a worker that is taken away is not billed on.
  const endMachine = market.end;
  market.end = (id) => {
    const job = jobs.get(id);
    if (!job || job.outcome) return endMachine(id);
    finish(job, 'FAILED', { error: 'the worker was lost' });
    return true;
  };
  market.preempt = (id) => {
    if (market.end(id)) market.find(id)!.phase = 'preempted';
  };

  function start(job: SimJob, workerId: string): void {
    const startedAtMs = clock.nowMs();
    Object.assign(job, { workerId, startedAtMs, pingedAtMs: startedAtMs });
    job.machine.phase = 'running';
    job.machine.runningAtMs ??= startedAtMs;
    const isThisRun = () =>
      job.outcome === null && job.startedAtMs === startedAtMs && job.workerId === workerId;
    later(job.submission.policy?.executionTimeout ?? 600_000, () => {
      if (isThisRun()) finish(job, 'TIMED_OUT', { error: 'executionTimeout exceeded' });
    });
    if (external) watchPings(job, isThisRun);
  }

  function watchPings(job: SimJob, isThisRun: () => boolean): void {
    later(pingGraceMs, () => {
      if (!isThisRun()) return;
      if (clock.nowMs() - job.pingedAtMs < pingGraceMs) return watchPings(job, isThisRun);
      counts.retried++;
      job.workerId = null;
      job.machine.phase = 'accepted';
      happening.tell();
    });
  }

  function finish(job: SimJob, outcome: FinalState, result: { output?: unknown; error?: string } = {}): void {
    if (job.outcome) return;
    Object.assign(job, { outcome, endedAtMs: clock.nowMs(), ...result });
    if (outcome === 'COMPLETED') counts.completed++;
    else counts.failed++;
    if (job.workerId && outcome !== 'COMPLETED') roster.stop(job.workerId, job.machine.id);
    endMachine(job.machine.id);
    job.machine.phase = 'exited';
    later(retentionMs, () => forget(job));
    if (job.submission.webhook) report(job, job.submission.webhook);
    happening.tell();
  }

  function forget(job: SimJob): void {
    if (jobs.get(job.machine.id) === job) jobs.delete(job.machine.id);
  }

  async function report(job: SimJob, url: string, tries = 1): Promise<void> {
    const body = JSON.stringify({ ...view(job), input: job.submission.input });
    const sent = await fetch(url, { method: 'POST', body }).catch(() => null);
    if (sent?.status !== 200 && tries < webhookTries)
      later(webhookPauseMs, () => void report(job, url, tries + 1));
  }

  function stateOf(job: SimJob): JobState {
    return job.outcome ?? (job.workerId === null ? 'IN_QUEUE' : 'IN_PROGRESS');
  }

  /** What /status tells of it. */
  function view(job: SimJob) {
    const { machine, startedAtMs, endedAtMs, workerId, output, error } = job;
    return {
      id: machine.id,
      status: stateOf(job),
      ...(startedAtMs === null ? {} : { delayTime: startedAtMs - machine.createdAtMs }),
      ...(startedAtMs === null || endedAtMs === null ? {} : { executionTime: endedAtMs - startedAtMs }),
      ...(workerId === null ? {} : { workerId }),
      ...(output === undefined ? {} : { output }),
      ...(error === undefined ? {} : { error }),
    };
  }

  function enqueue(submission: Submission, fault: Fault | null, id?: string): MarketMachine {
    const { label = '', environment = {} } = submission.input as {
      label?: string;
      environment?: Record<string, string>;
    };
    const offer = market.offers[0]!;
    const request = { offerId: offer.id, label, environment, request: submission };
    let machine = market.rent(request, fault);
    if (!machine) {
      // The queue takes jobs that no worker is there for: they wait.
      offer.stock += 1000;
      machine = market.rent(request, { kind: 'ailing', ailment: { kind: 'never_pulls' } })!;
      offer.stock -= 1000;
    }
    if (id) machine.id = id;
    if (fault?.kind === 'never_appears') return machine;
    const job: SimJob = {
      machine,
      submission,
      workerId: null,
      startedAtMs: null,
      endedAtMs: null,
      outcome: null,
      pingedAtMs: 0,
    };
    jobs.set(machine.id, job);
    later(submission.policy?.ttl ?? 24 * 3_600_000, () => {
      if (job.outcome) return;
      // Hard: the job is removed, also while it runs, and nobody is told.
      if (job.workerId) roster.stop(job.workerId, machine.id);
      forget(job);
      endMachine(machine.id);
      happening.tell();
    });
    happening.tell();
    return machine;
  }

  const live = () => [...jobs.values()].filter((job) => job.outcome === null);

  return {
    market,
    roster,
    counts,
    view,
    stateOf,
    live,
    submit: (submission: Submission, fault: Fault | null) => enqueue(submission, fault),
    find: (id: string) => (market.find(id) ? (jobs.get(id) ?? null) : null),
    finish,
    remove(job: SimJob) {
      finish(job, 'CANCELLED');
      forget(job);
    },
    /** Back into the queue under the same id, after it failed. */
    retry(job: SimJob) {
      counts.retried++;
      enqueue(job.submission, null, job.machine.id);
    },
    /** The next job for a worker, if there is one. */
    take(workerId: string): SimJob | null {
      roster.hear(workerId);
      const job = live().find((one) => one.workerId === null && canStart(one.machine));
      if (job) start(job, workerId);
      return job ?? null;
    },
    ping(workerId: string, jobIds: string[]) {
      roster.hear(workerId);
      for (const job of live())
        if (job.workerId === workerId && jobIds.includes(job.machine.id)) job.pingedAtMs = clock.nowMs();
    },
    until: happening.until,
    close() {
      for (const cancel of timers) cancel();
      happening.close();
    },
  };
}

/** Some workers never come up, and then nobody takes the job. */
function canStart({ ailment }: MarketMachine): boolean {
  return ailment?.kind !== 'never_pulls' && ailment?.kind !== 'crash_loop';
}
