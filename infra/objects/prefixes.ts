/** Below these an object of the media bucket may be what a job waits for; pictures of results do not. */
export const uploadsPrefix = 'uploads/';
export const inboxPrefix = 'inbox/';
export const watchedPrefixes = [uploadsPrefix, inboxPrefix] as const;
