/** Where a job's pictures are kept in the media bucket; those of its pieces in folders of it. */
export function resultPrefix(jobId: string): string {
  return `results/${jobId}/`;
}

/** The folder of a piece, below its job's prefix: what the names of its pictures begin with. */
export function pieceFolder(piece: number): string {
  return `${piece}/`;
}

const pictureName = /^[\w-]+(\.[\w-]+)*(\/[\w-]+(\.[\w-]+)*)*$/;

/** Whether it is what analyzers call pictures, such as scenes/s1.webp: no way up or out of the job's prefix. */
export function isPictureName(name: string): boolean {
  return name.length <= 128 && pictureName.test(name);
}
