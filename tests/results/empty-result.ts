import type { ResultDocument } from '../../functions/core/results/schema.ts';

/** Of a job in which nothing was found. */
export const emptyResult: ResultDocument = {
  schema: 'aima/result/1',
  jobId: '0'.repeat(26),
  status: 'complete',
  state: 'succeeded',
  error: null,
  medium: {
    name: 'a.mp4',
    contentType: 'video/mp4',
    sizeBytes: 1,
    kind: 'video',
    durationMs: 1000,
    width: 1,
    height: 1,
  },
  run: null,
  notes: [],
  transcript: null,
  texts: null,
  scenes: null,
  objects: null,
  faces: null,
  people: null,
  speakers: null,
  moderation: null,
  pictures: null,
  signals: null,
  loudness: null,
};
