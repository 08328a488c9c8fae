import { execFile, fork } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { build } from '../../scripts/build/build.ts';

const run = promisify(execFile);
const names = ['submit-job', 'orchestrate', 'on-complete', 'terminate', 'jobs'];

/** Away from the project, so that nothing is found in its node_modules. */
let dir: string;
let dist: string;
/** A function's context where an image has it, with nothing of ours above it. */
const inImage = async (name: string) => {
  const context = join(dir, 'images', name, 'home/app/function');
  await cp(join(dist, 'functions', name), context, { recursive: true });
  return context;
};
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'aima-build-'));
  dist = join(dir, 'dist');
  await build(dist);
});
afterAll(() => rm(dir, { recursive: true, force: true }));

describe('the build context of each function', () => {
  test.each(names)('%s asks for no package and passes its test', async (name) => {
    const context = await inImage(name);
    const manifest = JSON.parse(await readFile(join(context, 'package.json'), 'utf8'));
    expect(Object.keys(manifest)).not.toContain('dependencies');
    await run('npm', ['test'], { cwd: context });
    await run('npm', ['install', '--offline', '--no-audit', '--no-fund'], { cwd: context });
    expect(await readdir(context)).not.toContain('node_modules');
  });

  test('is called as the template calls it', async () => {
    const call = `
      const answer = { code: 200, headers: {} };
      const context = {
        status: (code) => { answer.code = code; return context; },
        headers: (values) => { answer.headers = values; return context; },
        succeed: (body) => { console.log(JSON.stringify({ ...answer, body: String(body).slice(0, 30) })); process.exit(0); },
      };
      require('./handler.js')({ method: 'GET', path: '/openapi.json', query: {}, headers: {}, body: {} }, context);`;
    const { stdout } = await run(process.execPath, ['-e', call], {
      cwd: await inImage('jobs'),
      env: {},
    });
    expect(JSON.parse(stdout)).toMatchObject({ code: 200, body: expect.stringContaining('"openapi"') });
  });

  test('brings the thread that looks into media along', async () => {
    expect(await readdir(join(dist, 'functions/submit-job'))).toContain('inspection-thread.mjs');
  });
});

test('stack.yml beside them names what was built', async () => {
  const stack = await readFile(join(dist, 'stack.yml'), 'utf8');
  const handlers = [...stack.matchAll(/handler: \$\{AIMA_HANDLERS:-\.(\/functions)\}\/([a-z-]+)/g)];
  expect(handlers.map(([, , name]) => name)).toEqual(names);
});

test('the gateway hosts the functions out of the same folder', async () => {
  const secrets = join(dir, 'secrets');
  const env = { PATH: process.env.PATH, AIMA_SECRETS_DIR: secrets, AIMA_GATEWAY_PORT: '0' };
  const { stdout } = await run(process.execPath, [join(dist, 'services/secrets.mjs')], { env });
  expect(stdout).toContain('lease-key');
  await writeFile(join(secrets, 'basic-auth-password'), 'open sesame');

  const gateway = fork(join(dist, 'services/gateway.mjs'), {
    cwd: dir,
    env,
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  try {
    const [{ port }] = await once(gateway, 'message');
    const url = `http://127.0.0.1:${port}`;
    const listed = await fetch(`${url}/system/functions`, {
      headers: { authorization: `Basic ${Buffer.from('admin:open sesame').toString('base64')}` },
    });
    const functions = (await listed.json()) as { name: string; availableReplicas: number }[];
    expect(functions.map((one) => [one.name, one.availableReplicas]).sort()).toEqual(
      names.map((name) => [name, 1]).sort(),
    );
    expect((await fetch(`${url}/function/jobs/openapi.json`)).status).toBe(200);
  } finally {
    gateway.kill();
    await once(gateway, 'exit');
  }
});
