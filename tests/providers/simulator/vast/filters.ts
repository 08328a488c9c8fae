/** Vast's filters, as searches and lists take them: `{"gpu_ram": {"gte": 24000}}`. */

type Row = Record<string, unknown>;

/** What Vast answers 400 for. */
export class InvalidFilter extends Error {}

const operators: Record<string, (is: unknown, wanted: unknown) => boolean> = {
  eq: (is, wanted) => is === wanted,
  neq: (is, wanted) => is !== wanted,
  gt: (is, wanted) => (is as number) > (wanted as number),
  gte: (is, wanted) => (is as number) >= (wanted as number),
  lt: (is, wanted) => (is as number) < (wanted as number),
  lte: (is, wanted) => (is as number) <= (wanted as number),
  in: (is, wanted) => (wanted as unknown[]).includes(is),
  notin: (is, wanted) => !(wanted as unknown[]).includes(is),
};

/** @throws InvalidFilter for a field or an operator that there is not. */
export function matches(row: Row, filters: Row): boolean {
  return Object.entries(filters).every(([field, conditions]) => {
    if (!(field in row)) throw new InvalidFilter(`${field} is not a valid search key`);
    return Object.entries(conditions as Row).every(([operator, wanted]) => {
      const holds = operators[operator];
      if (!holds) throw new InvalidFilter(`${operator} is not a valid operator`);
      // A place is filtered by its country: `Sweden, SE` is SE.
      const is = field === 'geolocation' ? String(row[field]).slice(-2) : row[field];
      return is !== null && is !== undefined ? holds(is, asTypeOf(is, wanted)) : operator === 'neq';
    });
  });
}

/** The CLI sends numbers and truth values as text, and Vast takes them. */
function asTypeOf(is: unknown, wanted: unknown): unknown {
  if (Array.isArray(wanted)) return wanted.map((one) => asTypeOf(is, one));
  if (typeof wanted !== 'string') return wanted;
  if (typeof is === 'number') return Number(wanted);
  return typeof is === 'boolean' ? wanted.toLowerCase() === 'true' : wanted;
}

/** Sorts by `[["dph_total", "asc"]]`. @throws InvalidFilter for a field that there is not. */
export function sorted<T extends Row>(rows: T[], order: [field: string, direction: string][]): T[] {
  for (const [field] of order)
    if (rows[0] && !(field in rows[0])) throw new InvalidFilter(`${field} is not a valid search key`);
  return rows.toSorted((a, b) => {
    for (const [field, direction] of order) {
      const [x, y] = [a[field] as number, b[field] as number];
      if (x !== y) return x < y === (direction !== 'desc') ? -1 : 1;
    }
    return 0;
  });
}
