/**
 * Six photographs of people out of an npm package, and what is seen in them. The boxes were drawn by
 * hand with a grid over the picture, to about a fiftieth of its width; covered parts of a person
 * belong to the box where their place is clear. Faces are given by their middles.
 */
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { npmFiles } from './npm-files.ts';

const Fraction = z.number().min(0).max(1);
const Labels = z.array(
  z.object({
    photograph: z.string(),
    /** COCO's names; left, top, right and bottom as fractions of the picture. */
    objects: z.array(z.object({ label: z.string(), box: z.tuple([Fraction, Fraction, Fraction, Fraction]) })),
    faces: z.array(z.tuple([Fraction, Fraction])),
  }),
);

export interface Photograph {
  name: string;
  bytes: Buffer;
  file: string;
  objects: z.infer<typeof Labels>[number]['objects'];
  faces: [number, number][];
}

const source = {
  name: '@vladmandic/face-api',
  version: '1.7.15',
  sizeBytes: 12_677_476,
  integrity:
    'sha512-WDMmK3CfNLo8jylWqMoQgf4nIst3M0fzx1dnac96wv/dvMTN4DxC/Pq1DGtduDk1lktCamQ3MIDXFnvrdHTXDw==',
};

/** Written into `folder` too. Throws where the package cannot be had. */
export async function photographs(folder: string): Promise<Photograph[]> {
  const labels = Labels.parse(
    JSON.parse(await readFile(path.join(import.meta.dirname, 'photographs.json'), 'utf8')),
  );
  const files = await npmFiles(
    source,
    labels.map(({ photograph }) => photograph),
  );
  return Promise.all(
    labels.map(async ({ photograph, objects, faces }) => {
      const bytes = files.get(photograph)!;
      const file = path.join(folder, path.basename(photograph));
      await writeFile(file, bytes);
      return { name: photograph, bytes, file, objects, faces };
    }),
  );
}
