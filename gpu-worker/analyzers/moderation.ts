/**
 * The analyzer `moderation`: when there is something to see that a person should look at before
 * others do. Its categories, and what they mean, are in functions/core/results/moderation.ts.
 */
import { round } from '../../functions/core/results/boxes.ts';
import type { ModerationRow } from '../../functions/core/results/rows.ts';
import type { Analyzer, AnalyzerContext, AnalyzerSession } from './analyzer.ts';
import { MODERATION_MODEL, scorePicture } from './moderation/scorer.ts';
import { type Stretch, Stretches } from './moderation/stretches.ts';
import { refusedWithoutPip } from './refused.ts';

export const moderation: Analyzer = {
  name: 'moderation',
  version: '1',
  kinds: ['image', 'video'],
  // The model sees 256 pixels.
  feed: { frames: { fps: 1, maxWidth: 512 } },
  models: ({ hasPip }) => (hasPip ? [MODERATION_MODEL] : []),
  cost: 0.06,
  start,
};

async function start(context: AnalyzerContext): Promise<AnalyzerSession> {
  // No model that comes through npm was good enough (moderation/scorer.ts); nothing is better than a guess.
  if (!context.models.means.hasPip) return refusedWithoutPip(context.durationMs);
  const model = await context.models.session(MODERATION_MODEL);
  const stretches = new Stretches();
  let foundAny = context.saved.length > 0;

  function rows(): ModerationRow[] {
    const found = stretches.take().map(toRow);
    foundAny ||= found.length > 0;
    return found;
  }

  return {
    async onFrame(frame) {
      stretches.add(frame.tMs, await scorePicture(model, frame));
    },
    async drain() {
      return { toMs: stretches.decidedMs ?? context.fromMs, rows: rows() };
    },
    async finish() {
      const toMs = Math.max(context.durationMs, stretches.decidedMs ?? 0);
      stretches.end(toMs);
      const found = rows();
      const status = foundAny ? 'ok' : 'nothing_found';
      return { toMs, rows: found, outcome: { status, reason: null } };
    },
    async dispose() {},
  };
}

function toRow({ category, startMs, endMs, score }: Stretch): ModerationRow {
  return { kind: 'moderation', category, startMs, endMs, confidence: round(score) };
}
