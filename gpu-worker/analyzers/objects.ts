/** The analyzer `objects`: things of the 80 COCO classes, each followed through the film. */

import { iou, round, roundBox } from '../../functions/core/results/boxes.ts';
import type { ObjectRow, ResultRow } from '../../functions/core/results/rows.ts';
import type { Analyzer, AnalyzerContext, AnalyzerSession } from './analyzer.ts';
import { cocoLabels } from './objects/coco-labels.ts';
import { detectObjects, OBJECT_MODEL } from './objects/detector.ts';
import { type Sighting, type Track, Tracker, type TrackPart } from './tracks.ts';

interface ObjectSighting extends Sighting {
  classId: number;
}

const FRAMES_PER_SECOND = 2;
/** People and cars begin at .3; below it guesses prevail. */
const MIN_CONFIDENCE = 0.3;
/** Surer than most wrong findings: cups that are clocks, sheep that are dogs. */
const SURE_CONFIDENCE = 0.5;
/** At two frames a second a walking person moves by half its width. */
const MIN_IOU = 0.25;
const MAX_GAP_MS = 1500;

export const objects: Analyzer = {
  name: 'objects',
  version: '1',
  kinds: ['image', 'video'],
  feed: { frames: { fps: FRAMES_PER_SECOND, maxWidth: 640 } },
  models: [OBJECT_MODEL],
  cost: 0.21,
  start,
};

async function start(context: AnalyzerContext): Promise<AnalyzerSession> {
  const model = await context.models.session(OBJECT_MODEL);
  const isPicture = context.kind === 'image';
  const tracker = new Tracker<ObjectSighting>({
    prefix: 't',
    affinity: (last, next) => {
      const overlap = last.classId === next.classId ? iou(last.box, next.box) : 0;
      return overlap >= MIN_IOU ? overlap : 0;
    },
    maxGapMs: MAX_GAP_MS,
    sightingMs: isPicture ? 0 : 1000 / FRAMES_PER_SECOND,
    sureConfidence: isPicture ? MIN_CONFIDENCE : SURE_CONFIDENCE,
    resumed: context.saved.flatMap(resumedTrack),
  });
  let foundAny = context.saved.length > 0;

  function rowsOf(parts: TrackPart<ObjectSighting>[]): ObjectRow[] {
    foundAny ||= parts.length > 0;
    return parts.map(toRow);
  }

  return {
    async onFrame(frame) {
      const found = await detectObjects(model, frame, MIN_CONFIDENCE);
      tracker.add(
        frame.tMs,
        found.map((object) => ({ ...object, tMs: frame.tMs })),
      );
    },
    async drain(nowMs) {
      const toMs = tracker.finalUntil(nowMs);
      return { toMs, rows: rowsOf(tracker.take(toMs)) };
    },
    async finish() {
      const rows = rowsOf(tracker.takeRest(context.durationMs));
      const status = foundAny ? 'ok' : 'nothing_found';
      return { toMs: context.durationMs, rows, outcome: { status, reason: null } };
    },
    async dispose() {},
  };
}

function toRow({ track, startMs, endMs, sightings }: TrackPart<ObjectSighting>): ObjectRow {
  const { classId } = track.last;
  return {
    kind: 'object',
    trackId: track.id,
    label: cocoLabels[classId]!,
    classId,
    startMs,
    endMs,
    confidence: round(track.confidence),
    samples: sightings.map(({ tMs, box, confidence }) => ({
      tMs,
      box: roundBox(box),
      confidence: round(confidence),
    })),
  };
}

/** Where a track stood when the part was saved. */
function resumedTrack(row: ResultRow): Track<ObjectSighting>[] {
  const sample = row.kind === 'object' ? row.samples.at(-1) : undefined;
  if (row.kind !== 'object' || !sample) return [];
  const { trackId: id, classId } = row;
  const confidence = row.confidence ?? 0;
  const last = { tMs: sample.tMs, box: sample.box, confidence: sample.confidence ?? 0, classId };
  return [{ id, last, count: 2, confidence, sightings: [] }];
}
