/** The whole thread on real parts, what happens when one of them is killed, and after a power cut. */
import { execFile } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { modelsDir } from '../../gpu-worker/models/model-folder.ts';
import { figure } from '../../scripts/bench/figures.ts';
import { usage } from '../../scripts/bench/idle/memory.ts';
import { wav } from '../../scripts/bench/wav.ts';
import { type TestMedia, testMedia } from '../media/test-media.ts';
import { bytesOf, openClient, type RealClient } from './client.ts';
import { allHere, pathOf } from './parts.ts';
import { placeRealSystem, type RealSystem, shuffled } from './system.ts';

const run = promisify(execFile);
const here = allHere('The whole system on real parts', 'postgres', 'mosquitto', 'minio');
const cliHere = here && allHere('faas-cli with the whole system', 'faas-cli');
/** How often the recogniser hears this word in the whole film when nothing disturbs it. */
const countries = 6;
const setup = join(import.meta.dirname, '../../infra/embedded/supervisor/setup.ts');

describe.skipIf(!here)('a server of real parts', () => {
  let system: RealSystem;
  let client: RealClient;
  let media: TestMedia;

  beforeAll(async () => {
    const env = { ...process.env, AIMA_MODELS_DIR: modelsDir(process.env), AIMA_MODEL_TIER: 'packaged' };
    [system, media] = await Promise.all([
      placeRealSystem(),
      testMedia(),
      run(process.execPath, [setup, 'models'], { env }),
    ]);
    client = openClient(system);
    system.boot(shuffled(system.names));
  }, 400_000);
  afterAll(async () => {
    await client?.sql.end({ timeout: 1 });
    await system?.remove();
  });

  it('takes a medium through the whole thread: rented, analysed, given back', async () => {
    // An event that came before the connector was there is found by the sweep: not what is to be measured.
    const first = await client.send('silence.wav', wav, { preset: 'metadata' });
    expect(await client.finished(first), system.output()).toMatchObject({ state: 'succeeded', attempt: 1 });
    await client.nothingRuns();
    const startedMs = performance.now();
    const jobId = await client.send('silence.wav', wav, { preset: 'metadata', reuse: false });
    expect(await client.finished(jobId), system.output()).toMatchObject({ state: 'succeeded', attempt: 1 });
    const doneMs = performance.now();
    await client.nothingRuns();
    const [jobTookMs, goneAfterMs] = [doneMs, performance.now()].map((ms) => Math.round(ms - startedMs));
    for (const name of ['postgres', 'mosquitto', 'minio', 'gateway', 'connector']) {
      const { rssMb, pssMb } = await usage(system.part(name).pid()!);
      figure(`rss_mb_${name}`, rssMb);
      figure(`pss_mb_${name}`, pssMb);
    }
    console.log(`real_job_ms ${jobTookMs}  real_until_gone_ms ${goneAfterMs}`);
  }, 240_000);

  it.skipIf(!cliHere)('answers faas-cli', async () => {
    const home = join(system.dir, 'home');
    await mkdir(home);
    const faas = async (args: string[], stdin = '') => {
      const running = run(pathOf('faas-cli'), args, {
        cwd: home,
        env: { PATH: process.env.PATH, HOME: home, OPENFAAS_URL: system.gatewayUrl },
      });
      running.child.stdin!.end(stdin);
      const { stdout, stderr } = await running;
      return stdout + stderr;
    };
    await faas(['login', '--username', 'admin', '--password-stdin'], system.secrets['basic-auth-password']);
    const list = await faas(['list']);
    for (const name of ['submit-job', 'orchestrate', 'on-complete', 'terminate', 'jobs'])
      expect(list).toMatch(new RegExp(`^${name}\\s+\\d+\\s+1\\s*$`, 'm'));
    const described = await faas(['describe', 'submit-job']);
    expect(described).toMatch(/topic\s*: aima\/media\/uploaded,aima\/media\/requested/);
    for (const secret of Object.values(system.secrets).filter((value) => value.length > 20))
      expect(described).not.toContain(secret);
    const token = `Authorization=Bearer ${system.secrets['api-token']}`;
    expect(JSON.parse(await faas(['invoke', 'jobs', '--method', 'GET', '-H', token]))).toHaveProperty('jobs');
    // Each version of faas-cli says it in its own words, on one stream or the other.
    const refused = await faas(['invoke', 'jobs', '--method', 'GET']).catch(
      (error: { stdout: string; stderr: string }) => error.stdout + error.stderr,
    );
    expect(refused).toMatch(/401|Unauthorized/);
    const bell = `Authorization=Bearer ${system.secrets['connector-token']}`;
    expect(await faas(['invoke', 'orchestrate', '--async', '-H', bell], '{}')).toContain('submitted async');
    expect(await faas(['secret', 'list'])).toContain('api-token');
    expect(await faas(['logs', 'jobs', '--tail=false'])).toContain('GET / - 200 OK');
  });

  it('finishes a job in whose middle each of them is killed with -9', async () => {
    const jobId = await client.send('talk.mp4', await bytesOf(media.talk), {
      analyses: ['scenes', 'transcribe'],
      reuse: false,
    });
    const isUnderWay = async (): Promise<void> => {
      const job = await client.until(jobId, ({ state }) => state === 'running' || state === 'succeeded');
      if (job.state === 'succeeded') throw new Error('The job was over before it could be disturbed.');
    };
    for (;;) {
      await isUnderWay();
      const [part] = await client.sql`select from parts where job_id = ${jobId}`;
      if (part) break;
    }
    for (const name of ['minio', 'mosquitto', 'postgres']) {
      const { kill, starts } = system.part(name);
      const before = starts();
      await kill();
      while (starts() === before) await sleep(20);
      await isUnderWay();
    }
    expect(await client.finished(jobId), system.output()).toMatchObject({ state: 'succeeded' });
    const { scenes, transcript, status } = await client.result(jobId);
    expect(status).toBe('complete');
    expect(scenes!.map((scene) => scene.startMs)).toEqual([0, ...media.talkTruth.cutsMs]);
    const words = transcript!.segments.flatMap((segment) => segment.words);
    expect(words.filter((word) => /^country\W?$/.test(word.text))).toHaveLength(countries);
    await client.nothingRuns();
  }, 300_000);

  it('after a power cut everything starts at once, in any order, and the job goes on', async () => {
    const jobId = await client.send('talk.mp4', await bytesOf(media.talk), {
      analyses: ['scenes', 'transcribe'],
      reuse: false,
    });
    await client.until(jobId, ({ state }) => state === 'running');
    await system.cutPower();
    const order = shuffled(system.names);
    console.log(`started in the order ${order.join(', ')}`);
    const bootedMs = performance.now();
    system.boot(order);
    await Promise.all([system.part('database').done, system.part('bucket').done]);
    expect(await client.finished(jobId), system.output()).toMatchObject({ state: 'succeeded' });
    console.log(`real_power_cut_to_done_ms ${Math.round(performance.now() - bootedMs)}`);
    await client.nothingRuns();
  }, 300_000);
});
