import { describe, expect, it } from 'vitest';
import { readAnnotations } from '../../infra/connector/functions.ts';

describe('annotations', () => {
  it('reads topics, schedule, coalesce and concurrency', () => {
    expect(
      readAnnotations({
        name: 'f',
        annotations: {
          topic: ' aima/jobs/queued, aima/leases/+/ready ,,aima/jobs/queued',
          schedule: '*/30 * * * * *',
          coalesce: 'true',
          concurrency: '8',
        },
      }),
    ).toEqual({
      name: 'f',
      topics: ['aima/jobs/queued', 'aima/leases/+/ready'],
      schedule: '*/30 * * * * *',
      coalesce: true,
      concurrency: 8,
    });
  });

  it('bears what OpenFaaS writes for its own cron connector', () => {
    expect(
      readAnnotations({ name: 'f', annotations: { topic: 'cron-function', schedule: '*/5 * * * *' } }),
    ).toMatchObject({ topics: [], schedule: '*/5 * * * *' });
  });

  it('has nothing to do for a function without annotations', () => {
    expect(readAnnotations({ name: 'f' })).toBeUndefined();
    expect(readAnnotations({ name: 'f', annotations: null })).toBeUndefined();
    expect(readAnnotations({ name: 'f', annotations: { other: 'x' } })).toBeUndefined();
  });

  it.each([
    ['schedule', { topic: 'a', schedule: 'every day' }],
    ['schedule', { topic: 'a', schedule: '99 * * * *' }],
    ['coalesce', { topic: 'a', coalesce: 'perhaps' }],
    ['concurrency', { topic: 'a', concurrency: '0' }],
    ['concurrency', { topic: 'a', concurrency: 'many' }],
  ])('names the faulty annotation %s', (name, annotations) => {
    expect(readAnnotations({ name: 'f', annotations })).toEqual({
      fault: expect.stringContaining(`annotation "${name}" of f`),
    });
  });
});
