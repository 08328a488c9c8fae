/** The fewest insertions, deletions and substitutions that make `b` of `a` (Levenshtein). Pure. */
export function editDistance<T>(a: ArrayLike<T>, b: ArrayLike<T>): number {
  let above = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const substituted = above[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      row.push(Math.min(above[j]! + 1, row[j - 1]! + 1, substituted));
    }
    above = row;
  }
  return above[b.length]!;
}
