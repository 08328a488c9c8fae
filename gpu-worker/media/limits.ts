/** How much of a medium is read at all. A stranger's file must not be able to ask for more memory than this. */
export const limits = {
  /** A picture of 10,000 x 10,000 is the largest; it is read scaled down, row by row. */
  picturePixels: 100_000_000,
  /** A picture's file is held in memory while it is read. */
  pictureBytes: 256 * 2 ** 20,
  /** 8192 x 4320, the largest frame of any common camera. */
  videoPixels: 8192 * 4320,
  streams: 64,
  durationMs: 24 * 60 * 60 * 1000,
} as const;
