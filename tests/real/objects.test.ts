/**
 * Our S3 checks against servers of other people: tests/s3 in a vitest of its own, with the
 * server's address in its environment. What fails must be on the server's list of deviations.
 */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import type { Endpoint } from '../s3/fixture.ts';
import * as deviations from './objects-deviations.ts';
import { startMinio, startSeaweed, startVersity } from './objects-servers.ts';
import { allHere } from './parts.ts';

const PROJECT = join(import.meta.dirname, '..', '..');
const VITEST = join(PROJECT, 'node_modules', 'vitest', 'vitest.mjs');

interface Candidate {
  name: string;
  isHere: boolean;
  known: deviations.Deviations;
  start: () => Promise<Endpoint>;
}

/** Our own is what tests/s3 runs against by itself. */
const candidates: Candidate[] = [
  {
    name: 'MinIO',
    isHere: allHere('The S3 checks on MinIO', 'minio'),
    known: deviations.minio,
    start: startMinio,
  },
  {
    name: 'SeaweedFS',
    isHere: allHere('The S3 checks on SeaweedFS', 'weed'),
    known: deviations.seaweedfs,
    start: startSeaweed,
  },
  {
    name: 'VersityGW',
    isHere: allHere('The S3 checks on VersityGW', 'versitygw'),
    known: deviations.versitygw,
    start: startVersity,
  },
];

const Report = z.object({
  testResults: z.array(
    z.object({
      message: z.string(),
      assertionResults: z.array(
        z.object({ fullName: z.string(), status: z.string(), failureMessages: z.array(z.string()) }),
      ),
    }),
  ),
});

interface Check {
  name: string;
  status: string;
  /** Why it failed, one line. */
  reason: string;
}

async function runChecks(server: Endpoint): Promise<Check[]> {
  const folder = await mkdtemp(join(tmpdir(), 'aima-s3-checks-'));
  const file = join(folder, 'report.json');
  // Without what this vitest tells its own workers.
  const { PATH, HOME, PYENV_ROOT } = process.env;
  const env = {
    ...{ PATH, HOME, PYENV_ROOT },
    AIMA_TEST_S3_ENDPOINT: server.url,
    AIMA_TEST_S3_ACCESS_KEY: server.accessKey,
    AIMA_TEST_S3_SECRET_KEY: server.secretKey,
    AIMA_TEST_S3_REGION: server.region,
  };
  const args = ['run', '--config', 'tests/s3/checks.config.ts', '--reporter=json', `--outputFile=${file}`];
  try {
    const output = await new Promise<string>((resolve) => {
      // Ends with 1 where a check fails: the report says which.
      execFile(process.execPath, [VITEST, ...args], { cwd: PROJECT, env }, (_, stdout, stderr) =>
        resolve(stdout + stderr),
      );
    });
    const text = await readFile(file, 'utf8').catch(() => {
      throw new Error(`the checks did not run:\n${output}`);
    });
    return Report.parse(JSON.parse(text)).testResults.flatMap(({ message, assertionResults }) => {
      if (assertionResults.length === 0) throw new Error(`a file of checks did not run: ${message}`);
      return assertionResults.map(({ fullName, status, failureMessages }) => ({
        name: fullName,
        status,
        reason: failureMessages[0]?.split('\n')[0] ?? '',
      }));
    });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

describe('S3 checks', () => {
  for (const { name, isHere, known, start } of candidates) {
    it.skipIf(!isHere)(`hold on ${name}, but for what is listed`, { timeout: 400_000 }, async () => {
      const server = await start();
      const checks = await runChecks(server).finally(() => server.close());
      const passed = checks.filter((check) => check.status === 'passed');
      const failed = checks.filter((check) => check.status === 'failed');
      const mended = passed.filter((check) => check.name in known);
      console.log(
        `${name}: ${passed.length} of ${passed.length + failed.length} checks hold, ${failed.length} do not`,
      );
      for (const check of mended) console.log(`${name} now holds, take it off the list: ${check.name}`);
      const unlisted = failed.filter((check) => !(check.name in known));
      expect(unlisted.map((check) => `${check.name}: ${check.reason}`)).toEqual([]);
      // A list with names of no check would say nothing.
      expect(checks.map((check) => check.name)).toEqual(expect.arrayContaining(Object.keys(known)));
      expect(passed.length).toBeGreaterThan(80);
    });
  }
});
