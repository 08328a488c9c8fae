import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['tests/**/*.test.ts'],
    globalSetup: ['tests/database/server.ts'],
    reporters: ['default', './tests/closing-line.ts'],
    testTimeout: 60_000,
    // Test media are built by the first test that needs them: up to 50 s of one core.
    hookTimeout: 240_000,
    // More than one for each core: the longest tests mostly wait for a sweep.
    maxWorkers: availableParallelism() + 1,
  },
});
