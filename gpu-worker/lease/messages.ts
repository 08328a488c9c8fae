/** What the worker and the program that watches it say to each other. */

export type FromWorker =
  /** The server has just answered. */
  | { contact: true }
  /** The same, and it is ready, and its lease has so long yet. */
  | { remainingMs: number };

/** The reason where somebody ended it, which says nothing against the job that it had. */
export const told = 'was told to end';

/** End politely, for this reason. */
export interface ToWorker {
  end: string;
}
