/**
 * Which of the places that are allowed: where money and waiting together cost least. A deadline comes
 * before that: the cheapest place that meets it, and where none can, the fastest.
 */
import type { Option } from './places.ts';
import type { Policy, QueuedJob } from './situation.ts';

export interface Choice {
  option: Option;
  /** The job has a deadline, and no place that is allowed can meet it. */
  isLate: boolean;
}

/** Pure. @returns null where there is no place. */
export function choose(
  allowed: Option[],
  { deadlineAtMs }: Pick<QueuedJob, 'deadlineAtMs'>,
  nowMs: number,
  { providers }: Pick<Policy, 'providers'>,
): Choice | null {
  const leastWhere = (options: Option[], key: 'score' | 'doneInMs') => {
    let least: Option | null = null;
    for (const option of options) if (!least || before(option, least, key, providers)) least = option;
    return least;
  };
  const inTime =
    deadlineAtMs === null ? allowed : allowed.filter((one) => nowMs + one.doneInMs <= deadlineAtMs);
  const cheapest = leastWhere(inTime, 'score');
  if (cheapest) return { option: cheapest, isLate: false };
  const fastest = leastWhere(allowed, 'doneInMs');
  return fastest && { option: fastest, isLate: true };
}

/** Pure: best first. */
export function inOrder(options: Option[], policy: Pick<Policy, 'providers'>): Option[] {
  return options.toSorted((a, b) => (before(a, b, 'score', policy.providers) ? -1 : 1));
}

/** Ties are common where prices round to nothing: sooner, cheaper by the hour, preferred; the name only makes it deterministic. */
function before(a: Option, b: Option, key: 'score' | 'doneInMs', providers: string[]): boolean {
  if (a[key] !== b[key]) return a[key] < b[key];
  const rest = a.doneInMs - b.doneInMs || a.place.priceMicrodollarsPerHour - b.place.priceMicrodollarsPerHour;
  if (rest !== 0) return rest < 0;
  const rank = providers.indexOf(a.place.offer.provider) - providers.indexOf(b.place.offer.provider);
  return rank === 0 ? a.place.name < b.place.name : rank < 0;
}
