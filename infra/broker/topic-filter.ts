/**
 * Whether an MQTT topic is matched by a topic filter (MQTT 3.1.1 section 4.7): `+` is one level, `#` the rest
 * including the parent itself, and a filter that starts with a wildcard never matches a topic that starts
 * with `$`.
 */
export function filterMatchesTopic(filter: string, topic: string): boolean {
  return filterCoversFilter(filter, topic);
}

/**
 * Whether every topic that `inner` can match is matched by `outer` too. A topic is the filter of itself, which
 * is why one walk over the levels serves both questions.
 */
export function filterCoversFilter(outer: string, inner: string): boolean {
  if (inner.startsWith('$') && (outer.startsWith('+') || outer.startsWith('#'))) return false;
  const outerLevels = outer.split('/');
  const innerLevels = inner.split('/');
  for (const [index, level] of outerLevels.entries()) {
    if (level === '#') return true;
    const innerLevel = innerLevels[index];
    if (innerLevel === undefined || innerLevel === '#') return false;
    if (level !== '+' && level !== innerLevel) return false;
    const outerContinuesWithRest = outerLevels[index + 1] === '#';
    if (outerContinuesWithRest && innerLevels.length === index + 1) return true;
  }
  return outerLevels.length === innerLevels.length;
}

/** Whether a string is a well-formed topic filter: `#` only as the whole last level, `+` only as a whole level. */
export function isTopicFilter(filter: string): boolean {
  if (filter === '' || filter.includes('\0') || Buffer.byteLength(filter) > 65_535) return false;
  const levels = filter.split('/');
  return levels.every((level, index) => {
    if (level === '#') return index === levels.length - 1;
    return level === '+' || !/[+#]/.test(level);
  });
}
