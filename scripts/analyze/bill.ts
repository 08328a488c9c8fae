/** What a job has cost, where it ran and where its time went: one line for the terminal. Pure. */
import type { InstanceView } from '../../functions/core/instances/list.ts';
import { dollars, hourly } from '../../functions/core/money.ts';
import { duration } from '../../functions/core/planner/durations.ts';
import type { Job } from './api.ts';

/** @param machines all that are known; those of the job are found among them. */
export function bill(job: Job, machines: readonly InstanceView[]): string {
  const ours = machinesOf(job, machines);
  const quote =
    job.quote && `, quoted ${dollars(job.quote.minMicrodollars)} to ${dollars(job.quote.maxMicrodollars)}`;
  const parts = [
    `cost ${dollars(job.costMicrodollars)}${areGone(ours) ? '' : ' so far'}${quote ?? ''}`,
    ...(ours.length > 0 ? [`on ${ours.map(describe).join(', then ')}`] : []),
    ...times(job, ours),
    ...(ours.length > 0 ? [whatIsLeft(ours)] : []),
  ];
  return parts.join('; ');
}

/** In the order of the attempts. */
export function machinesOf(job: Job, machines: readonly InstanceView[]): InstanceView[] {
  const ids = new Set(job.attempts.map((attempt) => attempt.instanceId));
  return [...ids].flatMap((id) => machines.find((machine) => machine.instanceId === id) ?? []);
}

function areGone(machines: readonly InstanceView[]): boolean {
  return machines.every((machine) => machine.state === 'terminated');
}

function describe({ provider, gpu, priceMicrodollarsPerHour: price }: InstanceView): string {
  return `${provider}${gpu === null ? '' : ` ${gpu}`} ${price === 0 ? 'for free' : `at ${hourly(price)}`}`;
}

/** Waiting is all that was neither: in the queue, and until the loss of a machine was noticed. */
function times({ medium, finishedAt, attempts }: Job, machines: InstanceView[]): string[] {
  if (medium.uploadedAt === null || finishedAt === null) return [];
  const uploadedAtMs = Date.parse(medium.uploadedAt);
  const sum = (durations: number[]) => durations.reduce((total, one) => total + Math.max(0, one), 0);
  // A machine that was there already has booted for somebody else.
  const bootedMs = sum(
    machines.map(({ requestedAt, readyAt }) =>
      readyAt === null ? 0 : Date.parse(readyAt) - Math.max(uploadedAtMs, Date.parse(requestedAt)),
    ),
  );
  const workedMs = sum(
    attempts.map(({ startedAt, endedAt }) => Date.parse(endedAt ?? finishedAt) - Date.parse(startedAt)),
  );
  const waitedMs = Math.max(0, Date.parse(finishedAt) - uploadedAtMs - bootedMs - workedMs);
  return [`waited ${duration(waitedMs)}, booted ${duration(bootedMs)}, worked ${duration(workedMs)}`];
}

/** Gone, or at work for somebody else: waiting would tell nothing more. */
export function areDone(machines: readonly InstanceView[]): boolean {
  return machines.every((machine) => machine.state === 'terminated' || machine.jobIds.length > 0);
}

function whatIsLeft(machines: InstanceView[]): string {
  const left = machines.filter((machine) => machine.state !== 'terminated');
  if (left.length === 0) return machines.length === 1 ? 'the machine is gone' : 'the machines are gone';
  const named = left.map(
    ({ label, jobIds }) => `${label}${jobIds.length > 0 ? ' (at work for others)' : ''}`,
  );
  return `not proven gone yet: ${named.join(', ')}`;
}
