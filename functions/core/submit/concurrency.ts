/** Work on many things, a few at a time, so that a large batch does not take all connections. */
export async function eachOf<T>(
  items: readonly T[],
  work: (item: T) => Promise<unknown>,
  atOnce = 8,
): Promise<void> {
  const queue = items.values();
  const lane = async () => {
    for (const item of queue) await work(item);
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, items.length) }, lane));
}
