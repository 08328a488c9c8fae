import { connect } from '../functions/core/database.ts';
import { migrate } from '../infra/postgres/migrate.ts';
import { fill, openLeases } from './bench/claims/ours.ts';
import postgres from 'postgres';
const base = 'postgres://postgres@127.0.0.1:55415/';
const s = postgres(base+'postgres',{max:1, onnotice(){}}); await s`drop database if exists prof with (force)`; await s.end();
await migrate({ superuserUrl: base+'postgres', functionsPassword: 'bench', database:'prof' });
const admin = connect(base+'prof',{max:1});
const leases = await openLeases(admin, (l)=> `postgres://${l}:bench@127.0.0.1:55415/prof`);
async function measure(name: string, setup: string[], undo: string[]) {
  await fill(admin, leases);
  for (const q of setup) await admin.unsafe(q);
  const [{instanceId, fence}] = await admin`select instance_id, fence from instances where instance_id=${leases[0].instanceId}` as any;
  await admin.unsafe(`set session authorization aima_worker_${instanceId}`);
  const t=performance.now();
  for (let i=0;i<4;i++) await admin.unsafe(`do $$ begin for i in 1..250 loop perform worker.claim(${fence}); end loop; end $$`);
  console.log(name, ((performance.now()-t)/1000).toFixed(3), 'ms per claim');
  await admin.unsafe('reset session authorization');
  for (const q of undo) await admin.unsafe(q);
}
await measure('all', [], []);
await measure('all', [], []);
await measure('no triggers', ['alter table jobs disable trigger user'], ['alter table jobs enable trigger user']);
await measure('no check_step', [`create or replace function check_step(machine text, from_state text, to_state text) returns void language sql as $$ select $$`], []);
await measure('+ no attempts fk', ['alter table attempts drop constraint attempts_job_id_fkey'], []);
await measure('+ no events idx', ['drop index events_of_job','drop index events_of_instance'], []);
await measure('+ no media/batch/user idx', ['drop index jobs_of_media','drop index jobs_of_batch','drop index jobs_of_user','drop index jobs_of_user_by_state'], []);
await measure('+ no triggers', ['alter table jobs disable trigger user'], []);
process.exit(0)
