import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { filterCoversFilter, filterMatchesTopic, isTopicFilter } from '../../infra/broker/topic-filter.ts';

describe('topic filters', () => {
  it.each([
    ['aima/jobs/queued', 'aima/jobs/queued', true],
    ['aima/jobs/queued', 'aima/jobs/settled', false],
    ['aima/+/ready', 'aima/leases/ready', true],
    ['aima/leases/+/ready', 'aima/leases/X/ready', true],
    ['aima/leases/+/ready', 'aima/leases/X/Y/ready', false],
    ['aima/leases/X/#', 'aima/leases/X', true],
    ['aima/leases/X/#', 'aima/leases/X/a/b', true],
    ['aima/leases/X/#', 'aima/leases/XX/a', false],
    ['#', 'a/b', true],
    ['#', '$SYS/x', false],
    ['+/x', '$SYS/x', false],
    ['$SYS/#', '$SYS/x', true],
    ['a/+', 'a/', true],
    ['a/+', 'a', false],
    ['+', 'a/b', false],
    ['/+', '/a', true],
    ['+/+', '/a', true],
  ])('%s on %s: %s', (filter, topic, matches) => {
    expect(filterMatchesTopic(filter, topic)).toBe(matches);
  });

  it.each([
    ['aima/#', 'aima/+/x', true],
    ['aima/#', 'aima/#', true],
    ['aima/#', '#', false],
    ['aima/+', 'aima/#', false],
    ['aima/+/x', 'aima/+/x', true],
    ['aima/y/x', 'aima/+/x', false],
    ['#', '$CONTROL/#', false],
    ['#', '+/#', true],
    ['+/#', '#', false],
  ])('%s covers %s: %s', (outer, inner, covers) => {
    expect(filterCoversFilter(outer, inner)).toBe(covers);
  });

  it('a filter that covers another matches whatever the other matches', () => {
    const level = fc.constantFrom('a', 'b', '', '+');
    const filter = fc
      .tuple(fc.array(level, { minLength: 1, maxLength: 3 }), fc.boolean())
      .map(([levels, rest]) => [...levels, ...(rest ? ['#'] : [])].join('/'));
    const topic = fc
      .array(fc.constantFrom('a', 'b', 'c', ''), { minLength: 1, maxLength: 4 })
      .map((l) => l.join('/'));
    fc.assert(
      fc.property(filter, filter, topic, (outer, inner, name) => {
        if (!filterCoversFilter(outer, inner) || !filterMatchesTopic(inner, name)) return true;
        return filterMatchesTopic(outer, name);
      }),
    );
  });

  it.each([
    ['a/#', true],
    ['#', true],
    ['a/#/b', false],
    ['a#', false],
    ['a+/b', false],
    ['', false],
  ])('%s is well formed: %s', (filter, wellFormed) => {
    expect(isTopicFilter(filter)).toBe(wellFormed);
  });
});
