import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { encodeEmbedding, normalised } from '../../functions/core/results/embeddings.ts';
import type { VoiceRow } from '../../functions/core/results/rows.ts';
import { groupSpeakers, speakerRows, type VoiceTurn } from '../../functions/core/results/speakers.ts';

/** The same every time: a linear congruential generator. */
function generator(seed: number) {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32 - 0.5;
  };
}

const width = 64;

/** Vectors around the voice of this number, as alike (cosine about .9) as those of long turns of one real voice. */
function vectorsOf(voice: number) {
  const own = generator(voice * 7919 + 1);
  const middle = normalised(Float32Array.from({ length: width }, own));
  return (random: () => number) => {
    const noise = normalised(Float32Array.from({ length: width }, random));
    return normalised(middle.map((value, i) => value + noise[i]! / 3));
  };
}

function turn(turnId: string, voice: number, startMs: number, lengthMs: number, seed = startMs): VoiceTurn {
  return { turnId, startMs, endMs: startMs + lengthMs, embedding: vectorsOf(voice)(generator(seed + 1)) };
}

const idsOf = (turns: VoiceTurn[]) => groupSpeakers(turns).map(({ turnIds }) => turnIds);

describe('turns become speakers', () => {
  test('as many as there are, in the order in which they are first heard', () => {
    const voices = [3, 1, 3, 2, 1, 3, 2, 2];
    const turns = voices.map((voice, i) => turn(`v${i + 1}`, voice, i * 5000, 4000));
    expect(idsOf(turns)).toEqual([
      ['v1', 'v3', 'v6'],
      ['v2', 'v5'],
      ['v4', 'v7', 'v8'],
    ]);
  });

  test('one who speaks alone is one', () => {
    const turns = Array.from({ length: 40 }, (_, i) => turn(`v${i}`, 5, i * 5000, 3000));
    const [only, ...others] = groupSpeakers(turns);
    expect(others).toEqual([]);
    expect(only!.turnIds).toHaveLength(40);
    expect(only!.cohesion).toBeGreaterThan(0.7);
    expect(only!.cohesion).toBeLessThan(0.98);
  });

  test('a single turn has no cohesion', () => {
    expect(groupSpeakers([turn('v1', 1, 0, 5000)])).toEqual([{ turnIds: ['v1'], cohesion: null }]);
    expect(groupSpeakers([])).toEqual([]);
  });

  test('a short turn joins whom it is most like, and founds no speaker', () => {
    const turns = [
      turn('v1', 1, 0, 5000),
      turn('v2', 2, 6000, 5000),
      turn('v3', 2, 12_000, 700),
      turn('v4', 3, 13_000, 700),
    ];
    const groups = idsOf(turns);
    expect(groups).toHaveLength(2);
    expect(groups[1]).toContain('v3');
    expect(groups.flat().toSorted()).toEqual(['v1', 'v2', 'v3', 'v4']);
  });

  test('where all turns are short they are grouped all the same', () => {
    const turns = [1, 2, 1, 2, 1, 2, 1, 2].map((voice, i) => turn(`v${i}`, voice, i * 1000, 900));
    expect(idsOf(turns)).toHaveLength(2);
  });

  test('every turn is in exactly one group, whatever the vectors', () => {
    const anyTurns = fc.array(
      fc.record({
        embedding: fc
          .array(fc.double({ min: -1, max: 1, noNaN: true }), { minLength: 4, maxLength: 4 })
          .map((values) => normalised(Float32Array.from(values))),
        lengthMs: fc.integer({ min: 0, max: 9000 }),
      }),
      { maxLength: 30 },
    );
    fc.assert(
      fc.property(anyTurns, (found) => {
        const turns = found.map(({ embedding, lengthMs }, i) => ({
          ...{ turnId: `v${i}`, embedding },
          ...{ startMs: i * 10_000, endMs: i * 10_000 + lengthMs },
        }));
        expect(idsOf(turns).flat().toSorted()).toEqual(turns.map(({ turnId }) => turnId).toSorted());
      }),
    );
  });

  test('of a whole day as of an hour: more turns than are compared at once', () => {
    const turns = Array.from({ length: 6500 }, (_, i) => turn(`v${i}`, i % 3, i * 5000, 4000));
    const groups = idsOf(turns);
    expect(groups.map((ids) => ids.length)).toEqual([2167, 2167, 2166]);
    for (const [voice, ids] of groups.entries()) {
      expect(ids.every((id) => Number(id.slice(1)) % 3 === voice)).toBe(true);
    }
  }, 60_000);
});

describe('rows', () => {
  const row = (turnId: string, voice: number, startMs: number, embeddingSpace = 'test'): VoiceRow => {
    const { endMs, embedding } = turn(turnId, voice, startMs, 4000);
    const encoded = encodeEmbedding(embedding);
    return { kind: 'voice', turnId, startMs, endMs, embedding: encoded, embeddingSpace };
  };

  test('say from when to when a speaker is heard', () => {
    expect(speakerRows([row('v1', 1, 0), row('v2', 2, 5000), row('v3', 1, 10_000)])).toEqual([
      {
        ...{ kind: 'speaker', speakerId: 'sp1', startMs: 0, endMs: 14_000 },
        ...{ cohesion: expect.closeTo(0.9, 1), turnIds: ['v1', 'v3'] },
      },
      {
        ...{ kind: 'speaker', speakerId: 'sp2', startMs: 5000, endMs: 9000 },
        ...{ cohesion: null, turnIds: ['v2'] },
      },
    ]);
    expect(speakerRows([])).toEqual([]);
  });

  test('vectors of two models are never compared', () => {
    const rows = speakerRows([row('v1', 1, 5000), row('v2', 1, 0, 'another')]);
    expect(rows.map(({ speakerId, turnIds }) => [speakerId, turnIds])).toEqual([
      ['sp1', ['v2']],
      ['sp2', ['v1']],
    ]);
  });
});
