/**
 * What a human is to be told: a row each, kept open from when something is found until it is over.
 * Telling it where people read it is tell.ts; here it is only written down, inside the transaction
 * of whoever finds it. Texts are our own sentences: no secret and no foreign text goes into one.
 */
import type { Sql, Tx } from '../database.ts';

export type Severity = 'warning' | 'critical';

export interface Alert {
  /** What it is about, such as `instance:<id>:not_gone`: one open alert each. */
  key: string;
  severity: Severity;
  /** A sentence or two for people: what is wrong and what to do. */
  text: string;
  /** The same for programs: ids, names, figures. */
  data?: Record<string, string | number | boolean | null>;
}

/** Told once while it is open, however often it is raised; what is shown of it is the newest text. */
export async function raise(sql: Sql | Tx, { key, severity, text, data = {} }: Alert): Promise<void> {
  await sql`
    insert into alerts (key, severity, text, data) values (${key}, ${severity}, ${text}, ${sql.json(data)})
    on conflict (key) where resolved_at is null do update set text = excluded.text, data = excluded.data
      where alerts.text <> excluded.text or alerts.data <> excluded.data`;
}

/** It is over. Whoever was told of it, or may have been, is told that too. */
export async function resolve(sql: Sql | Tx, key: string): Promise<void> {
  await sql`
    update alerts set resolved_at = clock_timestamp(), tries = 0, told_at = null, told_to = '{}',
      next_try_at = case when tries > 0 then now() end
    where key = ${key} and resolved_at is null`;
}

export interface OpenAlert {
  alertId: number;
  key: string;
  severity: Severity;
  text: string;
  data: Record<string, unknown>;
  raisedAt: Date;
  /** When everybody had been told; null: not yet, or nobody is to be. */
  toldAt: Date | null;
}

/** What is wrong now: critical ones first, then the newest. */
export async function openAlerts(sql: Sql | Tx): Promise<OpenAlert[]> {
  return sql<OpenAlert[]>`
    select alert_id, key, severity, text, data, raised_at, told_at from alerts
    where resolved_at is null order by severity = 'critical' desc, alert_id desc`;
}
