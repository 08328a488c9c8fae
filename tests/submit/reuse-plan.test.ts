import { describe, expect, it } from 'vitest';
import type { AnalyzerRun, RunReport } from '../../functions/core/results/run.ts';
import { type EarlierJob, planReuse } from '../../functions/core/submit/reuse-plan.ts';

const medium = {
  ...{
    kind: 'video',
    container: 'mp4',
    durationMs: 1,
    width: 1,
    height: 1,
    fps: 25,
    rotation: 0,
    streams: [],
  },
} as unknown as NonNullable<RunReport['medium']>;

const run = (name: string, change: Partial<AnalyzerRun> & { sha256?: string } = {}): AnalyzerRun => ({
  ...{ name, version: '1', status: 'ok', reason: null, wallMs: 1 },
  models: [{ id: 'm', version: '1', sha256: change.sha256 ?? 'a', licence: 'MIT', note: null }],
  ...change,
});
const job = (jobId: string, runs: AnalyzerRun[], options = {}): EarlierJob => ({
  ...{ jobId, options, medium, damages: [], runs },
});
const plan = (earlier: EarlierJob[], latest: AnalyzerRun[], options = {}) =>
  planReuse(
    { analyses: ['ocr', 'scenes'], options },
    earlier,
    new Map(latest.map((one) => [one.name, one])),
  ).map(({ run: { name }, from }) => [name, from.jobId]);

describe('an analysis is taken over', () => {
  it('where analyzer and models are those that ran last, from the newest such job', () => {
    const earlier = [
      job('c', [run('scenes')]),
      job('b', [run('ocr')]),
      job('a', [run('ocr'), run('scenes')]),
    ];
    expect(plan(earlier, [run('ocr'), run('scenes')])).toEqual([
      ['ocr', 'b'],
      ['scenes', 'c'],
    ]);
  });

  it('where it found nothing, and where it was skipped as it would be again', () => {
    const skipped = run('scenes', { status: 'skipped', models: [] });
    const earlier = [job('a', [run('ocr', { status: 'nothing_found' }), skipped])];
    expect(plan(earlier, [run('ocr'), run('scenes')])).toHaveLength(2);
  });

  it.each<[string, AnalyzerRun, AnalyzerRun[], object]>([
    ['the analyzer has another version', run('ocr', { version: '2' }), [run('ocr')], {}],
    ['a model is another', run('ocr', { sha256: 'b' }), [run('ocr')], {}],
    ['it failed', run('ocr', { status: 'failed' }), [run('ocr')], {}],
    ['its language is not supported', run('ocr', { status: 'unsupported_language' }), [run('ocr')], {}],
    ['nothing is known of what is current', run('ocr'), [], {}],
    ['the options are others', run('ocr'), [run('ocr')], { language: 'de' }],
    ['it was not among the analyses', run('faces'), [run('ocr')], {}],
  ])('not where %s', (_, before, latest, options) => {
    expect(plan([job('a', [before])], latest, options)).toEqual([]);
  });
});
