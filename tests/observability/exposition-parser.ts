/** Reads Prometheus' text format, strictly: what it does not know is an error. */

export interface Exposition {
  families: Map<string, { type: string; help: string }>;
  /** Of the one series with exactly these labels. */
  value(name: string, labels?: Record<string, string>): number | undefined;
  /** All series of a name, as they were written. */
  all(name: string): string[];
  sum(name: string): number;
}

interface Series {
  name: string;
  labels: Record<string, string>;
  value: number;
  line: string;
}

export function parseExposition(text: string): Exposition {
  if (!text.endsWith('\n')) throw new Error('the last line is not ended');
  const families = new Map<string, { type: string; help: string }>();
  const series: Series[] = [];
  for (const line of text.slice(0, -1).split('\n')) {
    const comment = /^# (HELP|TYPE) (\w+) (.+)$/.exec(line);
    if (comment) {
      const [, kind, name, rest] = comment as unknown as [string, 'HELP' | 'TYPE', string, string];
      if (kind === 'HELP' && families.has(name)) throw new Error(`${name} is told of twice`);
      const family = families.get(name) ?? { type: '', help: '' };
      families.set(name, kind === 'HELP' ? { ...family, help: rest } : { ...family, type: rest });
      continue;
    }
    const one = parseSeries(line);
    if (![...families.keys()].some((name) => one.name === name || isPartOf(one.name, name, families)))
      throw new Error(`${one.name} has no TYPE before it`);
    if (
      series.some(
        (other) =>
          other.line.split(' ')[0] === line.split(' ')[0] && other.name === one.name && same(other, one),
      )
    )
      throw new Error(`${line} is there twice`);
    series.push(one);
  }
  return {
    families,
    value: (name, labels = {}) => series.find((one) => one.name === name && same(one, { labels }))?.value,
    all: (name) => series.filter((one) => one.name === name).map(({ line }) => line),
    sum: (name) => series.filter((one) => one.name === name).reduce((total, { value }) => total + value, 0),
  };
}

function isPartOf(name: string, family: string, families: Exposition['families']): boolean {
  return (
    families.get(family)?.type === 'histogram' &&
    [`${family}_bucket`, `${family}_sum`, `${family}_count`].includes(name)
  );
}

function same(a: { labels: Record<string, string> }, b: { labels: Record<string, string> }): boolean {
  const text = ({ labels }: { labels: Record<string, string> }) =>
    JSON.stringify(Object.entries(labels).sort());
  return text(a) === text(b);
}

function parseSeries(line: string): Series {
  const match = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$/.exec(line);
  if (!match) throw new Error(`not a sample: ${line}`);
  const labels: Record<string, string> = {};
  let rest = match[2] ?? '';
  while (rest !== '') {
    const label = /^(\w+)="((?:[^"\\]|\\["\\n])*)"(?:,|$)/.exec(rest);
    if (!label) throw new Error(`not a label: ${rest}`);
    labels[label[1]!] = label[2]!;
    rest = rest.slice(label[0].length);
  }
  const value = Number(match[3]!.replace('Inf', 'Infinity'));
  if (Number.isNaN(value)) throw new Error(`not a number: ${line}`);
  return { name: match[1]!, labels, value, line };
}
