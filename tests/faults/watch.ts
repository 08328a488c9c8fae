/** What must never be: machines without a lease, two for one need, results lost or doubled. */
import { instanceOfLabel } from '../../functions/core/instances/label.ts';
import type { MarketMachine } from '../providers/simulator/market.ts';
import { partsOfAJob } from './scripted-worker.ts';
import type { Stage } from './stage.ts';

/** Machines that are billed although no lease of ours accounts for them. */
export async function orphansOn({ sql, simulator, config }: Stage): Promise<MarketMachine[]> {
  const owner = config.secret('owner-id');
  const ours = simulator.market.alive().filter((machine) => instanceOfLabel(owner, machine.label));
  if (ours.length === 0) return [];
  const rows = await sql<{ label: string; providerInstanceId: string | null }[]>`
    select label, provider_instance_id from instances where state <> 'terminated'`;
  const idOf = new Map(rows.map((row) => [row.label, row.providerInstanceId]));
  return ours.filter((machine) => {
    if (!idOf.has(machine.label)) return true;
    const id = idOf.get(machine.label)!;
    return id !== null && !id.endsWith(machine.id);
  });
}

/** Follows machines without a lease from step to step. */
export function orphanWatch(stage: Stage) {
  const since = new Map<object, number>();
  const found = new Set<object>();
  let foundMaxMs = 0;
  let endedMaxMs = 0;
  const { market } = stage.simulator;
  return {
    async look(): Promise<number> {
      const now = stage.clock.nowMs();
      const orphans = new Set<object>(await orphansOn(stage));
      const events = await stage.sql<{ id: string }[]>`
        select data ->> 'providerInstanceId' as id from events where type = 'instance.orphan_ended'`;
      const seen = new Set(events.map((event) => event.id));
      for (const orphan of orphans) {
        // As long as the provider itself is out of order, nobody can find anything there.
        if (!since.has(orphan) || market.faults.pending('list') || market.faults.pending('terminate'))
          since.set(orphan, now);
        const { id } = orphan as { id: string };
        if (!found.has(orphan) && [...seen].some((one) => one?.endsWith(id))) {
          found.add(orphan);
          foundMaxMs = Math.max(foundMaxMs, now - since.get(orphan)!);
        }
      }
      for (const [orphan, sinceMs] of since) {
        if (orphans.has(orphan)) continue;
        if (!found.has(orphan)) foundMaxMs = Math.max(foundMaxMs, now - sinceMs);
        endedMaxMs = Math.max(endedMaxMs, now - sinceMs);
        since.delete(orphan);
      }
      return orphans.size;
    },
    result: () => ({ orphanFoundMaxMs: foundMaxMs, orphanEndedMaxMs: endedMaxMs }),
  };
}

/** Needs that two machines serve at this moment: two alive for one job, neither of which is being ended. */
export async function doubleRents({ sql, simulator, provider }: Stage): Promise<number> {
  const serving = await sql<{ label: string; rentedFor: string }[]>`
    select label, rented_for from instances
    where provider = ${provider.name} and state in ('requested', 'in_doubt', 'booting', 'ready') and rented_for is not null`;
  const needOf = new Map(serving.map((row) => [row.label, row.rentedFor]));
  const counts = new Map<string, number>();
  for (const { label } of simulator.market.alive()) {
    const need = needOf.get(label);
    if (need) counts.set(need, (counts.get(need) ?? 0) + 1);
  }
  return [...counts.values()].filter((count) => count > 1).length;
}

/** What the workers saved of a finished job, against what they must have saved. */
export async function checkResult(stage: Stage, jobId: string): Promise<{ lost: number; doubled: number }> {
  const rows = await stage.sql<{ text: string }[]>`
    select text from segments where job_id = ${jobId} order by start_ms`;
  const expected = Array.from({ length: partsOfAJob }, (_, index) => `part ${index}`);
  const lost = expected.filter((text) => !rows.some((row) => row.text === text)).length;
  const doubled = rows.length - new Set(rows.map((row) => row.text)).size;
  return { lost: lost > 0 ? 1 : 0, doubled: doubled > 0 ? 1 : 0 };
}
