/**
 * The functions in real containers: an OCI image each, in containerd, with the memory limit, the environment
 * and the secrets of stack.yml, and the whole thread through them. What stands between them and the world on
 * a server, faasd's gateway and provider, is a stand-in (provider.ts); Postgres, Mosquitto, MinIO and the
 * connector run on this machine beside them, which they reach by one address, as on a server.
 */
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import type { Server } from 'node:http';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readStack, type StackFunction } from '../../infra/embedded/gateway/stack.ts';
import { figure } from '../../scripts/bench/figures.ts';
import { usage } from '../../scripts/bench/idle/memory.ts';
import { wav } from '../../scripts/bench/wav.ts';
import { type TestMedia, testMedia } from '../media/test-media.ts';
import { type Namespace, openNamespace } from '../public-address/namespace.ts';
import { bytesOf, openClient, type RealClient } from './client.ts';
import { type Containerd, startContainerd } from './containerd.ts';
import { buildImages, imageName, node } from './images.ts';
import { allHere } from './parts.ts';
import { type Deployed, startProvider } from './provider.ts';
import { placeRealSystem, type RealSystem } from './system.ts';

const what = 'Functions in containers';
const isRoot = process.getuid?.() === 0;
if (!isRoot) console.log(`${what} skipped: containers take root.`);
const here =
  isRoot && allHere(what, 'containerd', 'ctr', 'runc', 'buildah', 'postgres', 'mosquitto', 'minio');
const namespace: Namespace | null = here ? await openNamespace() : null;

const MIB = 2 ** 20;
/** Enough for the runtime to start the container, and less than Node takes with a function in it. */
const tooLittleBytes = 24 * MIB;

describe.skipIf(!namespace)('functions in containers', () => {
  let system: RealSystem;
  let client: RealClient;
  let containerd: Containerd;
  let provider: Server;
  let media: TestMedia;
  const deployed = new Map<string, Deployed>();

  beforeAll(async () => {
    const { here: host, there } = namespace!;
    [system, media] = await Promise.all([
      placeRealSystem({ host, functionsFrom: `${there}/32` }),
      testMedia(),
    ]);
    const { dir, dist } = system;
    containerd = await startContainerd(join(dir, 'containerd'));
    const stack = await readStack(join(dist.dir, 'stack.yml'), system.env);
    await mkdir(join(dir, 'images'));
    const startedMs = performance.now();
    const contexts = new Map(stack.map(({ name }) => [name, dist.functionDir(name)]));
    const archives = await buildImages(join(dir, 'images'), contexts);
    for (const archive of archives.values()) await containerd.load(archive);
    console.log(`images_ms ${Math.round(performance.now() - startedMs)}`);
    for (const [index, definition] of stack.entries()) {
      const { name } = definition;
      // They share one network namespace, where faasd gives each its own: so each has a port of its own.
      const port = 3000 + index;
      const mounts = await placeSecrets(definition);
      deployed.set(name, {
        definition,
        host: there,
        port,
        isAlive: async () => (await containerd.pid(name)) !== null,
        start: () => start(definition, port, mounts, memoryBytes(definition)),
      });
    }
    await Promise.all([...deployed.values()].map((one) => one.start()));
    provider = await startProvider(
      system.gatewayPort,
      { user: system.secrets['basic-auth-user'], password: system.secrets['basic-auth-password'] },
      deployed,
    );
    client = openClient(system);
    system.boot(system.names);
  }, 400_000);
  afterAll(async () => {
    await client?.sql.end({ timeout: 1 });
    // The connector first: its calls start containers.
    await system?.cutPower();
    provider?.close();
    await containerd?.close();
    await system?.remove();
    await namespace?.remove();
  });

  /** As faasd mounts them: a file each, read-only. Those that nobody made are empty. */
  async function placeSecrets({ name, secrets }: StackFunction): Promise<Map<string, string>> {
    const folder = join(system.dir, 'mounted', name);
    await mkdir(folder, { recursive: true });
    const mounts = new Map<string, string>();
    for (const secret of secrets) {
      const text = await readFile(join(system.secretsDir, secret), 'utf8').catch(() => '');
      const file = join(folder, secret);
      await writeFile(file, text);
      await chmod(file, 0o644);
      mounts.set(file, `/var/openfaas/secrets/${secret}`);
    }
    return mounts;
  }

  async function start(
    { name, environment }: StackFunction,
    port: number,
    mounts: ReadonlyMap<string, string>,
    limitBytes: number,
  ): Promise<void> {
    await containerd.remove(name);
    await containerd.start({
      id: name,
      image: imageName(name),
      environment: {
        ...environment,
        http_port: String(port),
        // Of the simulated provider only.
        AIMA_VAST_URL: system.env.AIMA_VAST_URL!,
      },
      mounts,
      memoryBytes: limitBytes,
      network: namespace!.name,
      logFile: join(system.dir, `${name}.log`),
    });
  }

  const listJobs = () => client.call('GET', 'jobs').then(({ status }) => status);
  async function untilAnswers(): Promise<number> {
    const startedMs = performance.now();
    while ((await listJobs().catch(() => 0)) !== 200) await sleep(5);
    return Math.round(performance.now() - startedMs);
  }
  async function throughTheThread(): Promise<void> {
    const jobId = await client.send('silence.wav', wav, { preset: 'metadata', reuse: false });
    expect(await client.finished(jobId), system.output()).toMatchObject({ state: 'succeeded' });
    await client.nothingRuns();
  }

  it('take a medium through the whole thread', async () => {
    await throughTheThread();
    const startedMs = performance.now();
    await throughTheThread();
    console.log(`container_thread_ms ${Math.round(performance.now() - startedMs)}`);
    for (const name of deployed.keys()) {
      const { rssMb, pssMb } = await usage((await containerd.pid(name))!);
      figure(`rss_mb_${name}`, rssMb);
      figure(`pss_mb_${name}`, pssMb);
    }
  }, 300_000);

  it('run without rights, and with no secret in their environment', async () => {
    for (const name of deployed.keys()) {
      const pid = await containerd.pid(name);
      const status = await readFile(`/proc/${pid}/status`, 'utf8');
      expect(status).toMatch(/^Uid:\t1000\t1000\t1000\t1000$/m);
      expect(status).toMatch(/^CapEff:\t0+$/m);
      const environment = await readFile(`/proc/${pid}/environ`, 'utf8');
      for (const secret of Object.values(system.secrets).filter((value) => value.length > 20))
        expect(environment).not.toContain(secret);
    }
  });

  it('may not take more memory than stack.yml gives them, and live on after a neighbour did', async () => {
    const before = await containerd.pid('jobs');
    const eat = 'const eaten = []; for (;;) eaten.push(Buffer.alloc(1e6, 1));';
    expect(await containerd.exec('jobs', node, '-e', eat)).toBe(137);
    expect(containerd.events()).toMatch(/\/tasks\/oom .*"jobs"/);
    expect(await containerd.pid('jobs')).toBe(before);
    expect(await listJobs()).toBe(200);
  });

  it('are started again at the next call when they died for want of memory', async () => {
    const { definition, port } = deployed.get('jobs')!;
    await start(definition, port, await placeSecrets(definition), tooLittleBytes);
    while ((await containerd.pid('jobs')) !== null) await sleep(20);
    expect(await listJobs()).toBe(500);
    console.log(`container_revive_ms ${await untilAnswers()}`);
  });

  it('are replaced while a job runs, which is finished', async () => {
    const analyses = ['scenes'];
    const jobId = await client.send('talk.mp4', await bytesOf(media.talk), { analyses, reuse: false });
    await client.until(jobId, ({ state }) => state === 'running');
    const startedMs = performance.now();
    for (const one of deployed.values()) await one.start();
    const replacedMs = performance.now() - startedMs;
    const answeredMs = await untilAnswers();
    console.log(`container_update_ms ${Math.round(replacedMs / deployed.size)} until_answer ${answeredMs}`);
    expect(await client.finished(jobId), system.output()).toMatchObject({ state: 'succeeded', attempt: 1 });
    const { scenes } = await client.result(jobId);
    expect(scenes!.map((scene) => scene.startMs)).toEqual([0, ...media.talkTruth.cutsMs]);
    await client.nothingRuns();
  }, 300_000);
});

function memoryBytes({ name, limits }: StackFunction): number {
  const [, count] = /^(\d+)Mi$/.exec(limits?.memory ?? '') ?? [];
  if (count === undefined) throw new Error(`stack.yml gives ${name} no memory limit in Mi`);
  return Number(count) * MIB;
}
