/** Whisper's decoder as ONNX; graphs.ts says what goes in and out. */
import type { Checkpoint, FloatType } from './checkpoint.ts';
import { type AttentionHead, crossValues, ownValues } from './graphs.ts';
import { Layers } from './layers.ts';
import type { WeightsFile } from './weights-file.ts';

/** Stands for minus infinity: finite in float16 too, and e to its power is 0. */
const MASKED = -60_000;

/** The ONNX file, whose weights `file` will have. Throws where the checkpoint lacks any. */
export function decoderGraph(
  checkpoint: Checkpoint,
  file: WeightsFile,
  type: FloatType,
  alignmentHeads: readonly AttentionHead[],
): Uint8Array {
  const sizes = checkpoint.dimensions;
  const { nVocab, nTextCtx, nTextState: state, nTextHead: heads } = sizes;
  const size = { head: state / heads, state };
  const layers = new Layers(checkpoint, file, type);
  const { graph } = layers;
  const zero = graph.integers([0]);
  const sequences = graph.node('Shape', ['tokens'], { start: 0, end: 1 });
  const count = graph.node('Shape', ['tokens'], { start: 1, end: 2 });
  const past = graph.node('Shape', ['past_k_0'], { start: 2, end: 3 });
  const total = graph.node('Add', [past, count]);

  // Gathered before it is converted: the runtime then keeps no second copy of the whole table.
  const embedded = graph.node('Gather', [
    layers.stored('decoder.token_embedding.weight', [nVocab, state]),
    'tokens',
  ]);
  const positions = graph.node('Slice', [
    layers.weights('decoder.positional_embedding', [nTextCtx, state]),
    past,
    total,
    zero,
  ]);
  const rows = graph.integers([-1, state]);
  let x = graph.node('Reshape', [layers.add(graph.cast(embedded, type), positions), rows]);

  const everyone = graph.node('Range', [
    graph.integer(0),
    graph.node('Squeeze', [total, zero]),
    graph.integer(1),
  ]);
  const asking = graph.node('Unsqueeze', [
    graph.node('Slice', [everyone, past, total, zero]),
    graph.integers([1]),
  ]);
  const later = graph.node('Greater', [everyone, asking]);
  const mask = graph.node('Where', [later, layers.number(MASKED), layers.number(0)]);

  const headShape = graph.node('Concat', [sequences, count, graph.integers([heads, size.head])], { axis: 0 });
  const aligned: string[] = [];
  for (let i = 0; i < sizes.nTextLayer; i++) {
    const block = `decoder.blocks.${i}`;
    const { queries, keys, values } = layers.project(x, block, i, state);
    const grown = (kind: 'k' | 'v', added: string) =>
      graph.node(
        'Concat',
        [`past_${kind}_${i}`, layers.splitHeads(added, headShape)],
        { axis: 2 },
        `present_${kind}_${i}`,
      );
    const attention = layers.attend(
      layers.splitHeads(queries, headShape),
      graph.node('Transpose', [grown('k', keys)], { perm: [0, 1, 3, 2] }),
      grown('v', values),
      size,
      mask,
    );
    x = layers.add(x, layers.linear(attention.output, [`${block}.attn.out`], state, state));

    const asked = layers.linear(
      layers.norm(x, `${block}.cross_attn_ln`, state),
      [`${block}.cross_attn.query`],
      state,
      state,
    );
    const cross = layers.attend(layers.splitHeads(asked, headShape), `cross_k_${i}`, `cross_v_${i}`, size);
    x = layers.add(x, layers.linear(cross.output, [`${block}.cross_attn.out`], state, state));
    x = layers.feedForward(x, block, state);

    const chosen = alignmentHeads.filter(([layer]) => layer === i).map(([, head]) => head);
    if (chosen.length > 0)
      aligned.push(graph.node('Gather', [cross.weights, graph.integers(chosen)], { axis: 1 }));
  }
  graph.cast(graph.node('Concat', aligned, { axis: 1 }), 'float32', 'alignment');

  const all = graph.node('Reshape', [
    x,
    graph.node('Concat', [sequences, count, graph.integers([state])], { axis: 0 }),
  ]);
  const wanted = graph.node('Reshape', [graph.node('Gather', [all, 'logits_at'], { axis: 1 }), rows]);
  const scores = graph.node(
    'Gemm',
    [
      layers.norm(wanted, 'decoder.ln', state),
      layers.weights('decoder.token_embedding.weight', [nVocab, state]),
    ],
    { transB: 1 },
  );
  const wantedCount = graph.node('Shape', ['logits_at']);
  const logitsShape = graph.node('Concat', [sequences, wantedCount, graph.integers([nVocab])], { axis: 0 });
  graph.cast(graph.node('Reshape', [scores, logitsShape]), 'float32', 'logits');

  return graph.encode(
    [
      { name: 'tokens', type: 'int64', dims: ['B', 'T'] },
      { name: 'logits_at', type: 'int64', dims: ['K'] },
      ...ownValues('past', 'P', sizes, type),
      ...crossValues(sizes, type),
    ],
    [
      { name: 'logits', dims: ['B', 'K', nVocab] },
      { name: 'alignment', dims: ['B', alignmentHeads.length, 'T', sizes.nAudioCtx] },
      ...ownValues('present', 'S', sizes, type),
    ],
  );
}
