/**
 * The queue: how many jobs a second eight workers can claim, beside what the same Postgres does with
 * a bare one-row `FOR UPDATE SKIP LOCKED` and with two well-known queues, all from one Node process;
 * and whether a million finished jobs in the table make a difference.
 *
 * Ours claims by worker.claim with the login of a lease: rights, fence, state machine, attempt and
 * event log included. pg-boss fetches one job at a time. graphile-worker has no call for the claim
 * alone: its runner claims and completes, so `claims_finished_per_s` is the figure to hold beside it.
 */
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from '../../functions/core/database.ts';
import { freePort } from '../../infra/embedded/ports.ts';
import { startPostgres } from '../../infra/embedded/postgres/start.ts';
import { migrate } from '../../infra/postgres/migrate.ts';
import { claim, claimAndFinish, fill, insertFinished, openLeases, removeFinished } from './claims/ours.ts';
import { graphileClaims, pgBossClaims, rawClaims } from './claims/peers.ts';
import { perSecond } from './claims/rate.ts';
import { figure } from './figures.ts';

export async function run(): Promise<void> {
  const dir = await mkdtemp(join(tmpdir(), 'aima-bench-'));
  await chmod(dir, 0o711);
  const server = await startPostgres({
    dataDir: join(dir, 'cluster'),
    port: await freePort(),
    superuserPassword: 'bench',
    log: () => {},
  });
  const address = (database: string, user = 'postgres') => {
    const url = new URL(server.url);
    [url.pathname, url.username, url.password] = [`/${database}`, user, 'bench'];
    return url.href;
  };
  try {
    await migrate({ superuserUrl: server.url, functionsPassword: 'bench' });
    const admin = connect(address('aima'), { max: 1 });
    const leases = await openLeases(admin, (login) => address('aima', login));

    await fill(admin, leases);
    figure('claims_per_s', await perSecond(leases, claim));
    await fill(admin, leases);
    figure('claims_finished_per_s', await perSecond(leases, claimAndFinish));
    figure('claims_raw_sql_per_s', await rawClaims(address));
    figure('claims_pgboss_per_s', await pgBossClaims(address));
    figure('claims_graphile_per_s', await graphileClaims(address));

    await insertFinished(admin);
    await fill(admin, leases);
    const besideMany = await perSecond(leases, claim);
    await removeFinished(admin);
    await fill(admin, leases);
    const alone = await perSecond(leases, claim);
    figure('claims_1m_ratio', alone / besideMany);
    await Promise.all([admin.end(), ...leases.map((lease) => lease.server.close())]);
  } finally {
    await server.stop();
    await rm(dir, { recursive: true, force: true });
  }
}
