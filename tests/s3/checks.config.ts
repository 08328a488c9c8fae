import { defineConfig } from 'vitest/config';

/**
 * Those of our S3 checks that hold on any S3 server, alone and without a database: against the server that
 * AIMA_TEST_S3_ENDPOINT and its like name (fixture.ts), or against our own.
 *
 *   npx vitest run --config tests/s3/checks.config.ts
 */
export default defineConfig({
  root: new URL('../..', import.meta.url).pathname,
  test: {
    include: ['tests/s3/{clients,listing,multipart,objects,post-policy,reading,signatures}.test.ts'],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    maxWorkers: 2,
  },
});
