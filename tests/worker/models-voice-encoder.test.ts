/** The converted voice encoder must compute what PyTorch and librosa compute; here it is computed anew, from the definitions. */
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { expect, test } from 'vitest';
import { convertVoiceEncoder } from '../../gpu-worker/models/torch/voice-encoder.ts';

const HIDDEN = 256;
const BANDS = 40;

let state = 7;
const random = () => {
  state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
  return state / 2 ** 31 - 1;
};
const tensor = (shape: number[], scale: number) => ({
  shape,
  data: Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => random() * scale),
});

const weights = new Map<string, ReturnType<typeof tensor>>(
  [0, 1, 2].flatMap((layer) => [
    [`lstm.weight_ih_l${layer}`, tensor([4 * HIDDEN, layer === 0 ? BANDS : HIDDEN], 0.1)] as const,
    [`lstm.weight_hh_l${layer}`, tensor([4 * HIDDEN, HIDDEN], 0.1)] as const,
    [`lstm.bias_ih_l${layer}`, tensor([4 * HIDDEN], 0.1)] as const,
    [`lstm.bias_hh_l${layer}`, tensor([4 * HIDDEN], 0.1)] as const,
  ]),
);
weights.set('linear.weight', tensor([HIDDEN, HIDDEN], 0.1));
weights.set('linear.bias', tensor([HIDDEN], 0.1));

const times = ({ shape, data }: { shape: number[]; data: Float32Array }, vector: number[]) =>
  Array.from({ length: shape[0]! }, (_, row) =>
    vector.reduce((sum, value, i) => sum + value * data[row * shape[1]! + i]!, 0),
  );
const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));

/** https://docs.pytorch.org/docs/stable/generated/torch.nn.LSTM.html: the gates are input, forget, cell, output. */
function lstm(layer: number, sequence: number[][]): number[][] {
  const part = (name: string) => weights.get(`lstm.${name}_l${layer}`)!;
  let [hidden, cell] = [Array<number>(HIDDEN).fill(0), Array<number>(HIDDEN).fill(0)];
  return sequence.map((input) => {
    const [fromInput, fromHidden] = [times(part('weight_ih'), input), times(part('weight_hh'), hidden)];
    const gate = (kind: number, i: number) => {
      const at = kind * HIDDEN + i;
      return fromInput[at]! + fromHidden[at]! + part('bias_ih').data[at]! + part('bias_hh').data[at]!;
    };
    cell = cell.map((old, i) => sigmoid(gate(1, i)) * old + sigmoid(gate(0, i)) * Math.tanh(gate(2, i)));
    hidden = cell.map((value, i) => sigmoid(gate(3, i)) * Math.tanh(value));
    return hidden;
  });
}

/** Power of the Fourier transform of 400 samples under a periodic Hann window, in Slaney's mel bands. */
function melFrame(samples: number[]): number[] {
  const power = Array.from({ length: 201 }, (_, bin) => {
    let [re, im] = [0, 0];
    for (const [i, sample] of samples.entries()) {
      const windowed = sample * Math.sin((Math.PI * i) / 400) ** 2;
      re += windowed * Math.cos((2 * Math.PI * bin * i) / 400);
      im += windowed * Math.sin((2 * Math.PI * bin * i) / 400);
    }
    return re * re + im * im;
  });
  const toMel = (hz: number) =>
    hz < 1000 ? (3 * hz) / 200 : 15 + (27 * Math.log(hz / 1000)) / Math.log(6.4);
  const toHz = (mel: number) => (mel < 15 ? (200 * mel) / 3 : 1000 * 6.4 ** ((mel - 15) / 27));
  return Array.from({ length: BANDS }, (_, band) => {
    const [low, middle, high] = [0, 1, 2].map((i) => toHz(((band + i) * toMel(8000)) / (BANDS + 1)));
    return power.reduce((sum, value, bin) => {
      const hz = bin * 40;
      const slope = Math.min((hz - low!) / (middle! - low!), (high! - hz) / (high! - middle!));
      return sum + (Math.max(0, slope) * 2 * value) / (high! - low!);
    }, 0);
  });
}

function encoded(sound: number[]): number[] {
  const frames = Math.floor((sound.length - 400) / 160) + 1;
  let sequence = Array.from({ length: frames }, (_, i) => melFrame(sound.slice(i * 160, i * 160 + 400)));
  for (const layer of [0, 1, 2]) sequence = lstm(layer, sequence);
  const bias = weights.get('linear.bias')!.data;
  const raw = times(weights.get('linear.weight')!, sequence.at(-1)!).map((value, i) =>
    Math.max(0, value + bias[i]!),
  );
  const length = Math.hypot(...raw);
  return raw.map((value) => value / length);
}

test('is the network that it was, for several sounds at once', async () => {
  const session = await InferenceSession.create(convertVoiceEncoder(weights));
  const sounds = [0, 1].map(() => Array.from({ length: 240 + 160 * 6 }, () => Math.fround(random())));
  const input = new Tensor('float32', Float32Array.from(sounds.flat()), [2, sounds[0]!.length]);
  const { embedding } = await session.run({ input });
  expect(embedding!.dims).toEqual([2, HIDDEN]);
  const expected = sounds.flatMap(encoded);
  for (const [i, value] of (embedding!.data as Float32Array).entries())
    expect(value).toBeCloseTo(expected[i]!, 5);
});

test('gives silence a vector too', async () => {
  const session = await InferenceSession.create(convertVoiceEncoder(weights));
  const { embedding } = await session.run({
    input: new Tensor('float32', new Float32Array(1000), [1, 1000]),
  });
  for (const value of embedding!.data as Float32Array) expect(Number.isFinite(value)).toBe(true);
});

test('weights that are missing are named', () => {
  expect(() => convertVoiceEncoder(new Map())).toThrow('lstm.weight_ih_l0');
});
