/** How fast several claimers empty a queue together. */

export const claimers = 8;
export const jobsEach = 2000;

/** Each takes again and again until there is nothing left for it. @returns takes a second, of all together. */
export async function perSecond<T>(takers: T[], take: (taker: T) => Promise<boolean>): Promise<number> {
  let taken = 0;
  const began = performance.now();
  await Promise.all(
    takers.map(async (taker) => {
      while (await take(taker)) taken++;
    }),
  );
  if (taken !== claimers * jobsEach) throw new Error(`${taken} of ${claimers * jobsEach} jobs were taken`);
  return taken / ((performance.now() - began) / 1000);
}
