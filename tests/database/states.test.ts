import { afterAll, beforeAll, expect, it } from 'vitest';
import { instanceTransitions } from '../../functions/core/instances/states.ts';
import { jobTransitions } from '../../functions/core/jobs/states.ts';
import { type FreshDatabase, freshDatabase, insertInstance, insertJob } from './fresh.ts';

let database: FreshDatabase;
beforeAll(async () => {
  database = await freshDatabase();
});
afterAll(() => database.close());

it('the database holds exactly the transitions that the code declares', async () => {
  const rows = await database.functions`select machine, from_state, to_state from state_transitions`;
  const declared = Object.entries<Record<string, readonly string[]>>({
    job: jobTransitions,
    instance: instanceTransitions,
  }).flatMap(([machine, table]) =>
    Object.entries(table).flatMap(([fromState, targets]) =>
      targets.map((toState) => ({ machine, fromState, toState })),
    ),
  );
  expect(new Set(rows.map((row) => JSON.stringify(row)))).toEqual(
    new Set(declared.map((row) => JSON.stringify(row))),
  );
});

it('refuses every step of a job that is not declared, whoever takes it', async () => {
  const states = Object.keys(jobTransitions).filter(Boolean);
  const sql = database.admin;
  for (const [from, targets] of Object.entries<readonly string[]>(jobTransitions)) {
    for (const to of states.filter((state) => from !== '' && state !== from)) {
      const jobId = await insertJob(sql);
      const instanceId = await insertInstance(sql);
      const holds = (state: string) => (['assigned', 'running'].includes(state) ? instanceId : null);
      // Only to get it there: the rule itself is what is tried after.
      await sql`alter table jobs disable trigger user`;
      await sql`update jobs set state = ${from}, instance_id = ${holds(from)} where job_id = ${jobId}`;
      await sql`alter table jobs enable trigger user`;
      const step = sql`update jobs set state = ${to}, instance_id = ${holds(to)} where job_id = ${jobId}`;
      if (targets.includes(to)) await step;
      else await expect(step, `${from} → ${to}`).rejects.toMatchObject({ code: 'AI001' });
    }
  }
});

it('writes every step to the event log', async () => {
  const sql = database.functions;
  const jobId = await insertJob(sql);
  await sql`update jobs set state = 'canceled' where job_id = ${jobId}`;
  const events = await sql`select type from events where job_id = ${jobId} order by event_id`;
  expect(events.map((event) => event.type)).toEqual(['job.queued', 'job.canceled']);
});
