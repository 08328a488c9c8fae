import { connect } from '../functions/core/database.ts';
import { migrate } from '../infra/postgres/migrate.ts';
import { claim, fill, openLeases } from './bench/claims/ours.ts';
import { perSecond } from './bench/claims/rate.ts';
import postgres from 'postgres';
const base = 'postgres://postgres@127.0.0.1:55415/';
const s = postgres(base+'postgres',{max:1, onnotice(){}}); await s`drop database if exists prof with (force)`; await s.end();
await migrate({ superuserUrl: base+'postgres', functionsPassword: 'bench', database:'prof' });
const admin = connect(base+'prof',{max:1});
const leases = await openLeases(admin, (l)=> `postgres://${l}:bench@127.0.0.1:55415/prof`);
for (const sync of ['on']) {
await admin.unsafe(`alter system set synchronous_commit = ${sync}`); await admin.unsafe(`select pg_reload_conf()`); await new Promise(r=>setTimeout(r,500));
await fill(admin, leases);
const w0 = (await admin`select pg_current_wal_lsn()::text as l`)[0]!.l;
const c0=process.cpuUsage(); const t=performance.now();
const r = await perSecond(leases, claim);
const c=process.cpuUsage(c0);
const w = (await admin`select pg_wal_lsn_diff(pg_current_wal_lsn(), ${w0})::float8 as b`)[0]!.b;
console.log('sync', sync, 'claims/s', r.toFixed(0), 'node cpu ms per claim', ((c.user+c.system)/1000/16000).toFixed(3), 'wal bytes per claim', (w/16000).toFixed(0), 'wall', ((performance.now()-t)/1000).toFixed(1));
}
process.exit(0)
