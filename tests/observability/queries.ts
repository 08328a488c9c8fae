/** The queries of the dashboard and the alert rules, and the metrics that they name. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';

export const observabilityDir = join(import.meta.dirname, '..', '..', 'infra', 'observability');
const text = (name: string) => readFileSync(join(observabilityDir, name), 'utf8');

const Panel = z.object({
  id: z.int(),
  type: z.string(),
  title: z.string(),
  gridPos: z.object({ x: z.int(), y: z.int(), w: z.int(), h: z.int() }),
  targets: z.array(z.object({ refId: z.string(), expr: z.string().min(1) })).default([]),
});
const Dashboard = z.object({ title: z.string(), uid: z.string(), panels: z.array(Panel).min(10) });
export type Panel = z.infer<typeof Panel>;

const Rules = z.object({
  groups: z.array(
    z.object({
      rules: z.array(
        z.object({
          alert: z.string(),
          expr: z.string(),
          labels: z.object({ severity: z.enum(['warning', 'critical']) }),
          annotations: z.object({ summary: z.string().min(1), description: z.string().min(20) }),
        }),
      ),
    }),
  ),
});

export const dashboard = Dashboard.parse(JSON.parse(text('dashboard.json')));
export const rules = Rules.parse(parse(text('alerts.yml'))).groups.flatMap((group) => group.rules);
export const ruleTests = text('alerts.test.yml');

export const queries = [
  ...dashboard.panels.flatMap((panel) => panel.targets.map(({ expr }) => ({ of: panel.title, expr }))),
  ...rules.map(({ alert, expr }) => ({ of: alert, expr })),
];

/** Pure. Names of our metrics in a query; `up` is Prometheus' own. */
export function metricsIn(expr: string): string[] {
  return expr.match(/\baima_\w+/g) ?? [];
}
