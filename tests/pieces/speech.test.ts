import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Piece } from '../../functions/core/results/merge/piece.ts';
import { mergeSpeech } from '../../functions/core/results/merge/speech.ts';
import type { SegmentRow, Word } from '../../functions/core/results/rows.ts';
import { type TestMedia, testMedia } from '../media/test-media.ts';
import { readWav, SAMPLES_PER_MS, transcribeSound, withPauses, words } from '../worker/sound-analysis.ts';

const overlapMs = 10_000;

function segment(said: Word[]): SegmentRow {
  return {
    ...{ kind: 'segment', language: 'en', confidence: 0.5, speakerId: null, words: said },
    ...{ startMs: said[0]!.startMs, endMs: said.at(-1)!.endMs },
    text: said.map((word) => word.text).join(' '),
  };
}

function word(text: string, startMs: number, endMs = startMs + 250): Word {
  return { text, startMs, endMs, confidence: 0.5 };
}

/** Two pieces that were cut at a time. */
function pair(cutMs: number, left: SegmentRow[], right: SegmentRow[]): Piece[] {
  return [
    { piece: 1, fromMs: 0, toMs: cutMs, overlapMs, rows: left },
    { piece: 2, fromMs: cutMs, toMs: Infinity, overlapMs, rows: right },
  ];
}

const textsOf = (merged: SegmentRow[][]) => merged.flat().map((row) => row.text);

describe('words at a cut', () => {
  it('are the same whatever punctuation each piece has heard', () => {
    const left = segment(['One', 'two,', 'three.', 'Hour.'].map((text, i) => word(text, 19_000 + 400 * i)));
    const right = segment(
      ['Oo', 'two', 'three,', 'four', 'five.'].map((text, i) => word(text, 19_040 + 400 * i)),
    );
    expect(textsOf(mergeSpeech(pair(20_000, [left], [right])))).toEqual(['One two, three. four five.']);
  });

  it('are joined without spaces where the language writes none', () => {
    const chinese = (texts: string[], fromMs: number) => ({
      ...segment(texts.map((text, i) => word(text, fromMs + 400 * i))),
      language: 'zh',
    });
    const left = chinese(['你', '好', '，', '是'], 19_000);
    const right = chinese(['你', '好', '，', '世', '界'], 19_040);
    expect(textsOf(mergeSpeech(pair(20_000, [left], [right])))).toEqual(['你好，世界']);
  });

  it('an utterance that goes on over it is one, and each word is in it once', () => {
    const left = segment(['one', 'two', 'three', 'hour'].map((text, i) => word(text, 19_000 + 400 * i)));
    const right = segment(
      ['oo', 'two', 'three', 'four', 'five'].map((text, i) => word(text, 19_040 + 400 * i)),
    );
    expect(textsOf(mergeSpeech(pair(20_000, [left], [right])))).toEqual(['one two three four five']);
  });

  it('utterances that are whole on both sides stay two, with their own words for text', () => {
    const one = { ...segment([word('One', 18_000)]), text: 'One.' };
    const two = { ...segment([word('Two', 21_000)]), text: 'Two.' };
    expect(textsOf(mergeSpeech(pair(20_000, [one, two], [one, two])))).toEqual(['One.', 'Two.']);
  });

  it('nothing heard alike: cut at the next moment without a word', () => {
    const left = [segment([word('alpha', 15_000), word('beta', 19_900)]), segment([word('noise', 29_000)])];
    const right = [segment([word('hiss', 15_100), word('his', 20_100)]), segment([word('gamma', 23_000)])];
    // Nobody speaks at 19 900 and at 20 350, of which the first is nearer.
    expect(textsOf(mergeSpeech(pair(20_000, left, right)))).toEqual(['alpha', 'his', 'gamma']);
  });

  it('nothing alike and no pause: cut where the medium was', () => {
    const talking = (text: string) =>
      segment(Array.from({ length: 200 }, (_, i) => word(text, i * 250, (i + 1) * 250)));
    const [merged] = mergeSpeech(pair(20_000, [talking('la')], [talking('da')]));
    expect(merged![0]!.words.map((one) => one.text).join('')).toBe('la'.repeat(80) + 'da'.repeat(120));
  });

  it('a piece that failed leaves a gap and takes nothing from the others', () => {
    const right = [segment([word('before', 15_000)]), segment([word('after', 24_000)])];
    expect(textsOf(mergeSpeech(pair(20_000, [], right)))).toEqual(['after']);
    expect(textsOf(mergeSpeech(pair(20_000, right, [])))).toEqual(['before']);
  });

  it('an utterance without words lies where its middle is', () => {
    const bare = (text: string, startMs: number) => ({ ...segment([word(text, startMs)]), words: [] });
    const both = [bare('left', 19_000), bare('right', 20_500)];
    expect(textsOf(mergeSpeech(pair(20_000, both, both)))).toEqual(['left', 'right']);
  });
});

/** Somebody who talks on, with pauses and repetitions, for a minute or two. */
const speech = fc
  .array(
    fc.record({
      text: fc.constantFrom('and', 'the', 'no', 'country', 'idle', 'machine', 'money', 'rent'),
      pauseMs: fc.oneof(
        { weight: 9, arbitrary: fc.integer({ min: 0, max: 120 }) },
        { weight: 1, arbitrary: fc.integer({ min: 300, max: 4000 }) },
      ),
      lengthMs: fc.integer({ min: 120, max: 700 }),
    }),
    { minLength: 100, maxLength: 250 },
  )
  .map((said) => {
    let atMs = 0;
    return said.map(({ text, pauseMs, lengthMs }) => {
      atMs += pauseMs + lengthMs;
      return word(text, atMs - lengthMs, atMs);
    });
  });

/** How two runs differ: times by up to 40 ms each way, and near the ends of what was heard wrong or missing words. */
const hearing = fc.record({
  jitterMs: fc.array(fc.integer({ min: -40, max: 40 }), { minLength: 50, maxLength: 50 }),
  fails: fc.array(fc.constantFrom('no', 'missing', 'wrong'), { minLength: 50, maxLength: 50 }),
  breaks: fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 50, maxLength: 50 }),
});
type Hearing = typeof hearing extends fc.Arbitrary<infer T> ? T : never;

/** Beyond this from the cut a piece may hear anything. */
const soundMs = 6_000;

function hear(said: Word[], piece: Omit<Piece, 'rows'>, { jitterMs, fails, breaks }: Hearing): Piece {
  const [fromMs, toMs] = [piece.fromMs - overlapMs, piece.toMs + overlapMs];
  const heard = said
    .map((one, index) => {
      const shift = jitterMs[index % jitterMs.length]!;
      const isEdge = one.startMs < piece.fromMs - soundMs || one.endMs > piece.toMs + soundMs;
      const fail = isEdge ? fails[index % fails.length]! : 'no';
      const shifted = { ...one, startMs: Math.max(0, one.startMs + shift), endMs: one.endMs + shift };
      return fail === 'missing' ? null : fail === 'wrong' ? { ...shifted, text: 'hm' } : shifted;
    })
    .filter((one) => one !== null)
    .filter((one) => one.startMs >= fromMs && one.endMs <= toMs);
  const rows: SegmentRow[] = [];
  for (let at = 0, turn = 0; at < heard.length; turn++) {
    const length = breaks[turn % breaks.length]!;
    rows.push(segment(heard.slice(at, at + length)));
    at += length;
  }
  return { ...piece, rows };
}

it('any speech, cut anywhere, comes back without a word lost or doubled', () => {
  fc.assert(
    fc.property(
      speech,
      fc.integer({ min: 20_000, max: 30_000 }),
      fc.array(hearing, { minLength: 1, maxLength: 4 }),
      (said, lengthMs, hearings) => {
        const count = Math.max(1, Math.floor(said.at(-1)!.endMs / lengthMs));
        const pieces = Array.from({ length: count }, (_, index) =>
          hear(
            said,
            {
              ...{ piece: index + 1, fromMs: index * lengthMs, overlapMs },
              toMs: index === count - 1 ? Infinity : (index + 1) * lengthMs,
            },
            hearings[index % hearings.length]!,
          ),
        );
        const merged = mergeSpeech(pieces).flat();
        const heard = merged.flatMap((row) => row.words);
        expect(heard.map((one) => one.text)).toEqual(said.map((one) => one.text));
        for (const row of merged) expect(row.text).toBe(row.words.map((one) => one.text).join(' '));
      },
    ),
    { numRuns: 300 },
  );
});

describe('real speech without a pause, cut in the middle of it', () => {
  let media: TestMedia;
  beforeAll(async () => {
    media = await testMedia();
  }, 240_000);

  it('has as many words as when it is heard in one go, each once', async () => {
    const recording = await readWav(media.wav);
    const sound = withPauses([recording, recording, recording], 0);
    const whole = words(await transcribeSound(sound, { language: 'en' }));
    const cutMs = 16_300;
    const left = await transcribeSound(sound.slice(0, (cutMs + overlapMs) * SAMPLES_PER_MS), {
      language: 'en',
    });
    const after = { rows: [], outcome: null, toMs: cutMs - overlapMs };
    const right = await transcribeSound(sound, { language: 'en', after });
    const merged = words({ rows: mergeSpeech(pair(cutMs, left.rows, right.rows)).flat() });
    const told = (all: Word[]) => all.map(({ text }) => text).join(' ');
    // The recogniser may hear another word where it began elsewhere, but none comes or goes at the cut.
    const next = whole.findIndex(({ startMs }) => startMs >= cutMs);
    expect(told(merged)).toContain(told(whole.slice(next - 4, next + 4)));
    expect(Math.abs(merged.length - whole.length)).toBeLessThanOrEqual(2);
    for (const [index, { startMs }] of merged.entries())
      expect(startMs).toBeGreaterThan(merged[index - 1]?.startMs ?? -1);
  }, 120_000);
});
