import { describe, expect, it } from 'vitest';
import { encodeEmbedding } from '../../functions/core/results/embeddings.ts';
import { joinSpeakers } from '../../functions/core/results/join.ts';
import { mergeRows } from '../../functions/core/results/merge/merge.ts';
import type { ResultRow, SpeakerRow, VoiceRow } from '../../functions/core/results/rows.ts';

const [anna, bert] = [
  [1, 0, 0],
  [0, 1, 0],
];

function voice(
  turnId: string,
  startMs: number,
  endMs: number,
  who = anna,
  embeddingSpace = 'test',
): VoiceRow {
  const embedding = encodeEmbedding(Float32Array.from(who!));
  return { kind: 'voice', turnId, startMs, endMs, embedding, embeddingSpace };
}

/** As a piece has grouped them by itself: of no use for the whole. */
function speaker(speakerId: string, ...turnIds: string[]): SpeakerRow {
  return { kind: 'speaker', speakerId, startMs: 0, endMs: 1, cohesion: 1, turnIds };
}

/** Pieces of 20 s each, with these rows. */
function merged(...rows: ResultRow[][]): ResultRow[] {
  return mergeRows(
    rows.map((own, index) => ({
      ...{ piece: index + 1, fromMs: index * 20_000, overlapMs: 10_000, rows: own },
      toMs: index === rows.length - 1 ? Infinity : (index + 1) * 20_000,
    })),
  ).flat();
}

describe('voices in pieces', () => {
  it('are those of one speaker wherever they are heard, and no turn is heard twice', () => {
    const rows = merged(
      [
        voice('v1', 1000, 6000),
        voice('v2', 7000, 15_000, bert),
        voice('v3', 17_000, 28_000),
        speaker('sp1', 'v1', 'v3'),
      ],
      [
        voice('v1', 12_000, 15_000, bert),
        voice('v2', 16_900, 28_000),
        voice('v3', 30_000, 36_000, bert),
        speaker('sp1', 'v1'),
      ],
    );
    expect(joinSpeakers(rows)).toMatchObject([
      {
        speakerId: 'sp1',
        totalMs: 16_000,
        turns: [
          { startMs: 1000, endMs: 6000 },
          { startMs: 17_000, endMs: 28_000 },
        ],
      },
      {
        speakerId: 'sp2',
        turns: [
          { startMs: 7000, endMs: 15_000 },
          { startMs: 30_000, endMs: 36_000 },
        ],
      },
    ]);
  });

  it('of a piece that failed are missing, and those of the others are there', () => {
    const rows = merged([voice('v1', 1000, 6000)], [], [voice('v1', 45_000, 50_000)]);
    expect(joinSpeakers(rows)).toMatchObject([{ speakerId: 'sp1', totalMs: 10_000 }]);
  });

  it('heard only in the overlap are the neighbour’s alone', () => {
    const rows = merged([voice('v1', 22_000, 29_000)], [voice('v1', 22_000, 30_000)]);
    expect(joinSpeakers(rows)).toMatchObject([{ turns: [{ startMs: 22_000, endMs: 30_000 }] }]);
  });

  it('told by two models are never compared', () => {
    const rows = merged([voice('v1', 1000, 6000)], [voice('v1', 25_000, 30_000, anna, 'another')]);
    expect(joinSpeakers(rows)).toHaveLength(2);
  });
});
