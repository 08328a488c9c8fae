/** Where a job's pictures are kept in the media bucket. */
export function resultPrefix(jobId: string): string {
  return `results/${jobId}/`;
}
