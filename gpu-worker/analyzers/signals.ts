/**
 * `signals`: how loud the sound is, and where sound or picture have nothing in them: silence, black
 * pictures, frozen pictures. Arithmetic, no model.
 *
 *   signals/loudness-meter.ts   loudness and peaks, ten times a second (k-weighting.ts)
 *   signals/silence.ts          silence
 *   signals/blank-picture.ts    black and frozen pictures (picture.ts)
 *   signals/stretches.ts        that only long ones count, and parts in the middle of them
 *
 * What is looked for and from where on it counts is as in FFmpeg's `silencedetect`, `blackdetect` and
 * `freezedetect` by default: 2 s each. A black picture that stands still is both black and frozen.
 *
 * Sound and picture do not end together: a part ends where neither of them needs what lies before. The
 * loudness is measured a little ahead of that, so that its filters are warm where somebody goes on.
 */
import type { ResultRow, SignalRow } from '../../functions/core/results/rows.ts';
import type { Analyzer, AnalyzerContext, AnalyzerSession } from './analyzer.ts';
import { BlankPictures } from './signals/blank-picture.ts';
import { LoudnessMeter } from './signals/loudness-meter.ts';
import { SilenceFinder } from './signals/silence.ts';
import type { Stretch } from './signals/stretches.ts';

export const signals: Analyzer = {
  name: 'signals',
  version: '1',
  kinds: ['audio', 'video'],
  // As wide as what scenes are found in: scaled once for both.
  feed: { frames: { fps: 10, maxWidth: 320 }, pcm: true },
  models: [],
  cost: 0.02,
  async start(context) {
    return startSignals(context);
  },
};

function startSignals({ fromMs, saved, durationMs }: AnalyzerContext): AnalyzerSession {
  const goesOn = (signal: SignalRow['signal']) =>
    saved.some((row) => row.kind === 'signal' && row.signal === signal && row.endMs === fromMs)
      ? fromMs
      : null;
  const measuredToMs = saved.reduce((ms, row) => (row.kind === 'loudness' ? Math.max(ms, row.endMs) : ms), 0);
  const loudness = new LoudnessMeter(measuredToMs);
  const silence = new SilenceFinder(fromMs, goesOn('silence'));
  const pictures = new BlankPictures(fromMs, { black: goesOn('black'), freeze: goesOn('freeze') });
  let takenToMs = fromMs;
  let foundAny = saved.length > 0;

  function take(toMs: number, knownMs: number): ResultRow[] {
    takenToMs = toMs;
    const rows = [
      ...rowsOf('silence', silence.take(toMs)),
      ...rowsOf('black', pictures.black.take(toMs, knownMs)),
      ...rowsOf('freeze', pictures.freeze.take(toMs, knownMs)),
      ...loudness.take(),
    ];
    foundAny ||= rows.length > 0;
    return rows;
  }

  return {
    async onFrame(frame) {
      pictures.see(frame);
    },
    async onPcm(samples, startMs) {
      loudness.hear(samples, startMs);
      silence.hear(samples, startMs);
    },
    async drain(nowMs) {
      // Where the pictures have come so much further, the sound has ended, but for the rest that its
      // decoder gives at the end of the file: less than half a second, which a resumed job goes without.
      const soundMs = nowMs > silence.heardMs ? nowMs : Math.min(loudness.neededFromMs, silence.finalMs);
      const pictureMs = Math.min(pictures.black.finalMs(nowMs), pictures.freeze.finalMs(nowMs));
      const toMs = Math.floor(Math.min(nowMs, soundMs, pictureMs));
      // What is not yet to be saved is kept.
      return toMs > takenToMs ? { toMs, rows: take(toMs, nowMs) } : { toMs: takenToMs, rows: [] };
    },
    async finish() {
      loudness.end();
      silence.end();
      const endMs = pictures.end(durationMs);
      const toMs = Math.max(durationMs, takenToMs, Math.ceil(silence.heardMs), endMs);
      const rows = take(toMs, toMs);
      return { toMs, rows, outcome: { status: foundAny ? 'ok' : 'nothing_found', reason: null } };
    },
    async dispose() {},
  };
}

function rowsOf(signal: SignalRow['signal'], stretches: Stretch[]): SignalRow[] {
  return stretches.map(({ startMs, endMs }) => ({ kind: 'signal', signal, startMs, endMs }));
}
