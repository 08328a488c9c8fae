/** One Postgres for a whole test run, started by vitest before the first file (vitest.config.ts). */
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { freePort } from '../../infra/embedded/ports.ts';
import { startPostgres } from '../../infra/embedded/postgres/start.ts';
import { withoutDisk } from './without-disk.ts';

declare module 'vitest' {
  interface ProvidedContext {
    postgresUrl: string;
  }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const dir = await mkdtemp(join(tmpdir(), 'aima-test-postgres-'));
  await chmod(dir, 0o711);
  const server = await startPostgres({
    dataDir: join(dir, 'cluster'),
    port: await freePort(),
    superuserPassword: 'test',
    log: () => {},
  });
  await withoutDisk(server.url);
  project.provide('postgresUrl', server.url);
  return async () => {
    await server.stop();
    await rm(dir, { recursive: true, force: true });
  };
}
