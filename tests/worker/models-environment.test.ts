/** What fetches models sees nothing of the lease. */
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { hasPip } from '../../gpu-worker/models/pip.ts';

const before = { ...process.env };
let folder: string | undefined;
afterEach(async () => {
  process.env = { ...before };
  if (folder) await rm(folder, { recursive: true });
});

it('pip is not told the logins of the lease, and is told how to reach its index', async () => {
  folder = await mkdtemp(join(tmpdir(), 'aima-pip-'));
  await writeFile(join(folder, 'python3'), `#!/bin/sh\nenv > '${folder}/seen'\n`);
  await chmod(join(folder, 'python3'), 0o755);
  process.env.PATH = `${folder}:${process.env.PATH}`;
  process.env.AIMA_DATABASE_URL = 'postgres://worker:secret@server/aima';
  process.env.PIP_INDEX_URL = 'https://index.example/simple';
  expect(await hasPip()).toBe(true);
  const seen = await readFile(join(folder, 'seen'), 'utf8');
  expect(seen).toContain('PIP_INDEX_URL=https://index.example/simple');
  expect(seen).not.toContain('secret');
});
