/**
 * Whisper as two ONNX graphs, built from the weights themselves, so that one interface serves
 * every size and the cross-attention, from which word times come, is a result.
 *
 * encoder: `mel` float32 [B, nMels, 3000] → for every decoder layer i
 *   `cross_k_<i>` [B, H, D, 1500] (transposed for the product it is used in)
 *   `cross_v_<i>` [B, H, 1500, D]
 * decoder, T tokens after P earlier ones:
 *   `tokens` int64 [B, T]; `logits_at` int64 [K], positions in 0..T-1 whose logits are wanted;
 *   `past_k_<i>`, `past_v_<i>` [B, H, P, D] with P ≥ 0; `cross_k_<i>`, `cross_v_<i>` →
 *   `logits` float32 [B, K, V];
 *   `present_k_<i>`, `present_v_<i>` [B, H, P + T, D], the next call's past;
 *   `alignment` float32 [B, A, T, 1500], the cross-attention of the A alignment heads in the
 *   order of model.json, softmaxed. A softmax over fewer frames is this divided by its sum there.
 * H is nTextHead, D nTextState / nTextHead, V nVocab. Positions count from P; P + T ≤ nTextCtx.
 * Keys, values and past are float32 or float16, as the graph computes. All sequences of a
 * batch have the same length.
 *
 * One input per layer and not one stacked tensor: a stack would be cut up for every token, which
 * copies all keys and values (37 MB of Whisper base) each time. Logits are made only where
 * they are wanted: for a prompt of 200 tokens the others cost more than all layers together.
 * No int8 for CPUs: quantised dynamically, the encoder of Whisper base took 1.25 instead of 1.75 s of
 * CPU time for 30 s of sound, but its keys and values were off by up to 73 % of their range.
 */
import type { GraphValue } from '../onnx/graph.ts';
import type { Dimensions, FloatType } from './checkpoint.ts';

/** Layer and head, both from 0. */
export type AttentionHead = readonly [layer: number, head: number];

/** What the encoder gives and the decoder takes. */
export function crossValues(sizes: Dimensions, type: FloatType): GraphValue[] {
  const { nAudioCtx: frames, nTextHead: heads, nTextState } = sizes;
  const size = nTextState / heads;
  return numbers(sizes.nTextLayer).flatMap((i) => [
    { name: `cross_k_${i}`, type, dims: ['B', heads, size, frames] },
    { name: `cross_v_${i}`, type, dims: ['B', heads, frames, size] },
  ]);
}

/** `past` or `present`, what the decoder keeps of the tokens before. */
export function ownValues(
  kind: string,
  length: string,
  { nTextLayer, nTextHead, nTextState }: Dimensions,
  type: FloatType,
): GraphValue[] {
  return numbers(nTextLayer).flatMap((i) =>
    ['k', 'v'].map((part) => ({
      name: `${kind}_${part}_${i}`,
      type,
      dims: ['B', nTextHead, length, nTextState / nTextHead],
    })),
  );
}

function numbers(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i);
}
