import type { SortedMap } from '../storage/sorted-map.ts';

/** Paging through keys with a prefix and a delimiter, as ListObjects does; pure. */

export interface PageQuery {
  prefix: string;
  delimiter: string;
  /** Only what comes after this key or common prefix. */
  after: string;
  limit: number;
}

export interface Page<T> {
  entries: Array<{ key: string; value: T }>;
  commonPrefixes: string[];
  /** Where the next page goes on; null on the last page. */
  next: string | null;
}

/** The common prefix that stands for a key in a listing with a delimiter; null if the key stands for itself. */
function commonPrefix(key: string, { prefix, delimiter }: PageQuery): string | null {
  const end = delimiter === '' ? -1 : key.indexOf(delimiter, prefix.length);
  return end < 0 ? null : key.slice(0, end + delimiter.length);
}

/** Takes O(log n) steps for each line of the page, however many keys a common prefix stands for. */
export function pageOf<T>(map: SortedMap<T>, query: PageQuery): Page<T> {
  const { prefix, after, limit } = query;
  const page: Page<T> = { entries: [], commonPrefixes: [], next: null };
  // A page that ended with a common prefix goes on behind all keys it stands for.
  const rolledUp = after.startsWith(prefix) && commonPrefix(after, query) === after;
  const start = rolledUp ? map.afterPrefix(after) : map.lowerBound(after);
  let position = Math.max(start, map.lowerBound(prefix));
  let last = '';
  for (;;) {
    const key = map.keyAt(position);
    if (key === undefined || !key.startsWith(prefix)) return page;
    if (key === after) {
      position += 1;
      continue;
    }
    if (page.entries.length + page.commonPrefixes.length >= limit) {
      page.next = limit > 0 ? last : null;
      return page;
    }
    const group = commonPrefix(key, query);
    if (group === null) {
      page.entries.push({ key, value: map.get(key)! });
      position += 1;
      last = key;
    } else {
      page.commonPrefixes.push(group);
      position = map.afterPrefix(group);
      last = group;
    }
  }
}
