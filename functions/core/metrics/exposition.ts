/**
 * Prometheus' text format, version 0.0.4:
 * https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format
 */

export const metricsContentType = 'text/plain; version=0.0.4; charset=utf-8';

export interface Sample {
  labels?: Readonly<Record<string, string>>;
  value: number;
}

/** All samples of one name. */
export interface Metric {
  /** By https://prometheus.io/docs/practices/naming/: base units, `_total` for what only grows. */
  name: string;
  type: 'gauge' | 'counter';
  help: string;
  samples: readonly Sample[];
}

/** One histogram for each set of labels. */
export interface Histogram {
  name: string;
  type: 'histogram';
  help: string;
  series: readonly Distribution[];
}

export interface Distribution {
  labels: Readonly<Record<string, string>>;
  /** How many fell into each bucket and into none below it; what is above the last bound is `above`. */
  buckets: readonly { bound: number; count: number }[];
  above: number;
  sum: number;
}

/** Pure. A family without samples is left out. */
export function exposition(families: readonly (Metric | Histogram)[]): string {
  return families
    .map((family) => (family.type === 'histogram' ? histogram(family) : metric(family)))
    .join('');
}

function metric({ name, type, help, samples }: Metric): string {
  if (samples.length === 0) return '';
  return head(name, type, help) + samples.map(({ labels = {}, value }) => line(name, labels, value)).join('');
}

function histogram({ name, help, series }: Histogram): string {
  if (series.length === 0) return '';
  return head(name, 'histogram', help) + series.map((one) => distribution(name, one)).join('');
}

/** Buckets are cumulative in the format: each counts what is below its bound. */
function distribution(name: string, { labels, buckets, above, sum }: Distribution): string {
  let count = 0;
  const lines = buckets.map((bucket) => {
    count += bucket.count;
    return line(`${name}_bucket`, { ...labels, le: String(bucket.bound) }, count);
  });
  count += above;
  return [
    ...lines,
    line(`${name}_bucket`, { ...labels, le: '+Inf' }, count),
    line(`${name}_sum`, labels, sum),
    line(`${name}_count`, labels, count),
  ].join('');
}

function head(name: string, type: string, help: string): string {
  const text = help.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
  return `# HELP ${name} ${text}\n# TYPE ${name} ${type}\n`;
}

function line(name: string, labels: Readonly<Record<string, string>>, value: number): string {
  const pairs = Object.entries(labels).map(([label, text]) => `${label}="${escapeLabel(text)}"`);
  return `${name}${pairs.length === 0 ? '' : `{${pairs.join(',')}}`} ${number(value)}\n`;
}

/** A label may hold anything, such as the name of a provider that somebody configured. */
function escapeLabel(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n').replaceAll('"', '\\"');
}

function number(value: number): string {
  if (Number.isFinite(value)) return String(value);
  return Number.isNaN(value) ? 'NaN' : value > 0 ? '+Inf' : '-Inf';
}
