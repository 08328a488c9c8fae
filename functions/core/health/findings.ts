/** From what was found out to what a person is told. Pure. */
import type { OpenAlert } from '../alerts/alerts.ts';
import { type Disk, diskAdvice, judgeDisk, sayDisk } from './disk.ts';
import type { ProviderNote } from './providers.ts';
import type { Queue } from './queue.ts';
import type { Finding } from './shapes.ts';
import { failingAfterMs, lateAfterMs, type SweepNote, sweepWords } from './sweeps.ts';

/** A provider is looked at every five minutes where nothing lives; three such looks missed. */
const listedLateMs = 15 * 60_000;

/** The image is pulled within 15 minutes or not at all (AIMA_PULL_TIMEOUT_SECONDS); twice that is no waiting for a boot. */
const queueStuckMs = 30 * 60_000;

export function sweepFindings(notes: readonly SweepNote[]): Finding[] {
  return notes.flatMap(({ name, finishedAt, lagMs, failing, failingMs, failingSinceAt }): Finding[] => {
    const { program, risk } = sweepWords[name];
    if (lagMs > lateAfterMs)
      return [
        {
          part: 'sweep',
          severity: 'critical',
          what: `The sweep of ${name} does not come: ${risk}.`,
          sinceAt: finishedAt.toISOString(),
          advice: `Look whether the connector and the function ${program} run, and at their logs.`,
        },
      ];
    if (failing.length === 0) return [];
    return [
      {
        part: 'sweep',
        severity: 'warning',
        what: `In the sweep of ${name} these steps fail: ${failing.join(', ')}.`,
        sinceAt: failingSinceAt?.toISOString() ?? null,
        advice: `The log of the function ${program} says why.${(failingMs ?? 0) > failingAfterMs ? '' : ' It may pass by itself.'}`,
      },
    ];
  });
}

export function providerFindings(notes: readonly ProviderNote[]): Finding[] {
  return notes.flatMap((note): Finding[] => {
    const { provider, pausedUntilAt, pauseReason, failures, listedAt, listAgeMs, machines } = note;
    const sinceAt = listedAt?.toISOString() ?? null;
    if (pausedUntilAt)
      return [
        {
          part: 'provider',
          severity: 'warning',
          what: `Nothing is rented from ${provider} now: ${pauseReason ?? 'no reason was noted'}.`,
          sinceAt,
          advice: `It is tried again at ${pausedUntilAt.toISOString()}; look at the provider's own status page and at its key meanwhile.`,
        },
      ];
    if (listAgeMs !== null && listAgeMs > listedLateMs)
      return [
        {
          part: 'provider',
          severity: machines > 0 ? 'critical' : 'warning',
          what: `${provider} has given no whole and credible list of its machines${machines > 0 ? `, of which ${machines} are ours,` : ''} for ${Math.round(listAgeMs / 60_000)} minutes.`,
          sinceAt,
          advice: "Look at the provider's own page for machines that should not be there.",
        },
      ];
    if (failures === 0) return [];
    return [
      {
        part: 'provider',
        severity: 'warning',
        what: `The last ${failures} calls to ${provider} failed.`,
        sinceAt,
        advice: 'The log of the function terminate says why.',
      },
    ];
  });
}

export function queueFindings({ oldestAt, oldestMs, queued, live, isHeld }: Queue): Finding[] {
  if (queued === 0 || oldestAt === null) return [];
  const jobs = queued === 1 ? 'A job waits' : `${queued} jobs wait`;
  if (isHeld)
    return [
      {
        part: 'queue',
        severity: 'warning',
        what: `${jobs}: the queue is held.`,
        sinceAt: oldestAt.toISOString(),
        advice: 'Release it: POST /function/orchestrate/release.',
      },
    ];
  if (live > 0 || oldestMs <= queueStuckMs) return [];
  return [
    {
      part: 'queue',
      severity: 'warning',
      what: `${jobs} and no machine is rented.`,
      sinceAt: oldestAt.toISOString(),
      advice: 'POST /function/orchestrate with {"dryRun": true} says for each place why it is not taken.',
    },
  ];
}

export function diskFindings(disk: Disk | null): Finding[] {
  const severity = disk && judgeDisk(disk);
  return severity ? [{ part: 'disk', severity, what: sayDisk(disk), sinceAt: null, advice: diskAdvice }] : [];
}

/** By the beginning or the end of an alert's key. What is found out here anew, sweeps and disk, is not told twice. */
const kinds: { fits: RegExp; part: Finding['part'] | null; advice: string }[] = [
  { fits: /^(sweep|disk):/, part: null, advice: '' },
  {
    fits: /^budget:/,
    part: 'money',
    advice: 'Wait until that time is over, or raise the limit (AIMA_MAX_DOLLARS_PER_DAY and its like).',
  },
  {
    fits: /:not_gone$/,
    part: 'machine',
    advice: 'End it on the page of the provider; "npm run stop-everything" ends all that is ours.',
  },
  { fits: /:billing$/, part: 'money', advice: 'Compare the ledger with the page of the provider.' },
  { fits: /:unauthorized$/, part: 'provider', advice: 'Put a working key in place of the secret.' },
  { fits: /:no_credit$/, part: 'provider', advice: 'Pay in at the provider.' },
  {
    fits: /^provider:/,
    part: 'provider',
    advice: 'Look at the image of the worker and at the public address.',
  },
];

const otherKind = { part: 'other', advice: 'Do what it says; it is over by itself then.' } as const;

/** A budget that is used up is no fault of the server, however critical for the jobs that it stops. */
export function alertFindings(alerts: readonly OpenAlert[]): Finding[] {
  return alerts.flatMap(({ key, severity, text, raisedAt }): Finding[] => {
    const { part, advice } = kinds.find(({ fits }) => fits.test(key)) ?? otherKind;
    if (part === null) return [];
    return [
      {
        part,
        severity: key.startsWith('budget:') ? 'warning' : severity,
        what: text,
        sinceAt: raisedAt.toISOString(),
        advice,
      },
    ];
  });
}
