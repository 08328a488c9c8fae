/** How large what was built is. */
import { readdir, stat } from 'node:fs/promises';
import path from 'node:path';

export interface BundleSize {
  name: string;
  /** Of 1000 bytes, uncompressed: what Node reads at a cold start. */
  kb: number;
}

/** Of a file, or of all files in a folder. */
export async function sizeOf(name: string, place: string): Promise<BundleSize> {
  const found = await stat(place);
  const files = found.isDirectory() ? (await readdir(place)).map((file) => path.join(place, file)) : [place];
  const sizes = await Promise.all(files.map(async (file) => (await stat(file)).size));
  return { name, kb: Math.ceil(sizes.reduce((sum, bytes) => sum + bytes, 0) / 1000) };
}
