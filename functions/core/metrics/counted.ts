/** What the tallies have counted (tallies.ts), as counters and histograms. Pure. */
import { phases } from '../ledger/bill.ts';
import type { Distribution, Histogram, Metric, Sample } from './exposition.ts';
import type { Tallies, Tally } from './tallies.ts';

const settledStates = ['succeeded', 'failed', 'canceled', 'expired'];

/** Phases whose length is observed, in the order in which a job goes through them (0018_observability.sql). */
const observedPhases = ['queued', 'renting', 'booting', 'assigned', 'running', 'total', 'ending'];

export function countedMetrics({ rows, boundsSeconds }: Tallies): (Metric | Histogram)[] {
  const named = (name: string) => rows.filter((row) => row.name === name);
  // A counter that is there from the beginning shows its first step: rate() does not see a series begin.
  const byLabel = (name: string, known: readonly string[], label: string, unit: number): Sample[] =>
    known.map((value) => ({ labels: { [label]: value }, value: countOf(named(name), value) / unit }));
  return [
    {
      name: 'aima_jobs_settled_total',
      type: 'counter',
      help: 'Jobs that ended, by how.',
      samples: byLabel('jobs_settled', settledStates, 'state', 1),
    },
    {
      name: 'aima_instances_ended_total',
      type: 'counter',
      help: 'Machines that are proven gone or were never made, by provider and why.',
      samples: named('instances_ended').map(({ label, value }) => {
        const [provider, reason] = splitLast(label);
        return { labels: { provider, reason }, value };
      }),
    },
    {
      name: 'aima_billed_seconds_total',
      type: 'counter',
      help: 'Paid time of machines that are gone, by phase. All but `work` is waste.',
      samples: byLabel(
        'charged_ms',
        phases.filter((phase) => phase !== 'traffic'),
        'phase',
        1000,
      ),
    },
    {
      name: 'aima_billed_dollars_total',
      type: 'counter',
      help: 'What machines that are gone cost, by phase. All but `work` and `traffic` is waste.',
      samples: byLabel('charged_microdollars', phases, 'phase', 1e6),
    },
    {
      name: 'aima_phase_seconds',
      type: 'histogram',
      help: 'How long each phase took. Of jobs: queued, assigned (until its worker began it), running, total. Of machines: renting (until the provider made it), booting (until its worker was ready), ending.',
      series: observedPhases.map((phase) =>
        distributionOf(phase, named('phase_bucket'), named('phase_ms'), boundsSeconds),
      ),
    },
  ];
}

function distributionOf(
  phase: string,
  buckets: Tally[],
  sums: Tally[],
  bounds: readonly number[],
): Distribution {
  return {
    labels: { phase },
    buckets: bounds.map((bound) => ({ bound, count: countOf(buckets, `${phase}/${bound}`) })),
    above: countOf(buckets, `${phase}/+Inf`),
    sum: countOf(sums, phase) / 1000,
  };
}

function countOf(rows: readonly Tally[], label: string): number {
  return rows.find((row) => row.label === label)?.value ?? 0;
}

function splitLast(label: string): [string, string] {
  const slash = label.lastIndexOf('/');
  return [label.slice(0, slash), label.slice(slash + 1)];
}
