/**
 * Text in pictures, for every tier: PP-OCRv6 small, out of a package of the Python Package Index. Where
 * there is no pip the older models of packaged-vision.ts read instead (analyzers/ocr/text-models.ts).
 * No npm package was found that holds models with umlauts.
 */
import type { Model } from './manifest.ts';
import type { PypiPackage } from './pip.ts';

const rapidocr: PypiPackage = {
  name: 'rapidocr',
  version: '3.10.0',
  sha256: '2fc34e26cd0f48514804a94f8832283039c7334076bff60768b1fed9ad068050',
  sizeBytes: 27288134,
};

const common = {
  tier: 'packaged',
  version: 'PP-OCRv6 small',
  source: rapidocr,
  codeLicence: 'Apache-2.0',
  weightsLicence: 'Apache-2.0',
  note: null,
} as const;

export const packagedTextModels: readonly Model[] = [
  {
    ...common,
    id: 'ppocr6-det',
    task: 'text detection',
    languages: [],
    files: [
      {
        name: 'PP-OCRv6_det_small.onnx',
        sizeBytes: 9929594,
        sha256: '090f04abcd9d9a7498bc4ebf677e4cb9bdce1fe4197ddb7e529f1ef44e1ff94f',
        from: 'rapidocr/models/PP-OCRv6_det_small.onnx',
      },
    ],
  },
  {
    ...common,
    id: 'ppocr6-rec',
    task: 'text recognition, Latin letters, Chinese and Japanese',
    // As its package lists them.
    languages:
      'zh en ja af az bs ca cs cy da de es et eu fi fr ga gl hr hu id is it ku la lb lt lv mi ms mt nl no oc pl pt qu rm ro sk sl sq sr-Latn sv sw tl tr uz vi'.split(
        ' ',
      ),
    files: [
      {
        name: 'PP-OCRv6_rec_small.onnx',
        sizeBytes: 21234383,
        sha256: '6f327246b50388f3c176ae304bd95767ea6dc0c9ae92153ef8cbe210b3c14884',
        from: 'rapidocr/models/PP-OCRv6_rec_small.onnx',
      },
    ],
  },
];
