/** Dashboard and alert rules name only metrics that the endpoint gives, and every metric is shown somewhere. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { insertInstance } from '../database/fresh.ts';
import { type System, startSystem } from '../jobs/system.ts';
import { parseExposition } from './exposition-parser.ts';
import { dashboard, metricsIn, type Panel, queries, rules, ruleTests } from './queries.ts';

let system: System;
let given: string[];
beforeAll(async () => {
  system = await startSystem();
  const { sql } = system.core;
  // What has samples only where there are machines.
  await insertInstance(sql, 'ready');
  const ended = await insertInstance(sql, 'booting');
  await sql`update instances set state = 'terminating', reason = 'done' where instance_id = ${ended}`;
  await sql`update instances set state = 'terminated', gone_at = now() where instance_id = ${ended}`;
  await sql`insert into providers (provider, listed_at) values ('local', now())`;
  const { families } = parseExposition((await system.api('GET', '/metrics')).body);
  given = [...families].flatMap(([name, { type }]) =>
    type === 'histogram' ? ['_bucket', '_sum', '_count'].map((part) => name + part) : [name],
  );
});
afterAll(() => system.stop());

it.each(queries)('$of names metrics that there are', ({ expr }) => {
  const named = metricsIn(expr);
  expect(named.length > 0 || expr.includes('up{')).toBe(true);
  for (const name of named) expect(given).toContain(name);
});

it('shows every metric in a panel', () => {
  const shown = new Set(
    dashboard.panels.flatMap(({ targets }) => targets.flatMap(({ expr }) => metricsIn(expr))),
  );
  const family = (name: string) => name.replace(/_(bucket|sum|count)$/, '');
  const families = new Set([...shown].map(family));
  expect(given.filter((name) => !families.has(family(name)))).toEqual([]);
});

it('tests every alert', () => {
  expect(rules.length).toBeGreaterThan(10);
  const untested = rules.filter(
    ({ alert }) => !ruleTests.includes(`alertname="${alert}", alertstate="firing"`),
  );
  expect(untested.map(({ alert }) => alert)).toEqual([]);
});

it('has panels with ids of their own that do not lie on each other', () => {
  const { panels } = dashboard;
  expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
  const overlaps = ({ gridPos: a }: Panel, { gridPos: b }: Panel) =>
    a.x < b.x + b.w && b.x < a.x + a.w && a.y < b.y + b.h && b.y < a.y + a.h;
  for (const [i, panel] of panels.entries()) {
    expect(panel.gridPos.x + panel.gridPos.w, panel.title).toBeLessThanOrEqual(24);
    for (const other of panels.slice(i + 1))
      expect(overlaps(panel, other), `${panel.title}, ${other.title}`).toBe(false);
  }
});
