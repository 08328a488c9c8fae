/** Every way in: a real medium goes in, a real analysis comes out, the worker is gone. */
import { execFile, spawn } from 'node:child_process';
import { copyFile, mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { Client as S3Client } from 'minio';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { inboxPrefix } from '../../functions/core/storage/bucket.ts';
import { slideText, type TestMedia, testMedia } from '../media/test-media.ts';
import { type Client, startClient } from './client.ts';

const run = promisify(execFile);

let client: Client;
let media: TestMedia;
beforeAll(async () => {
  // The one setting that is not the default: the https address below is on loopback.
  [media, client] = await Promise.all([
    testMedia(),
    startClient({ models: true, env: { AIMA_ALLOW_PRIVATE_ADDRESSES: '1' } }),
  ]);
}, 400_000);
afterAll(() => client?.remove());

/** What the speech recogniser must get right of the recording at the very least. */
const heard = /country|fellow|americans|ask/i;

describe('a medium comes in', () => {
  it('by HTTP: submit, PUT to the presigned URL, read the job', async () => {
    const jobId = await client.send(media.png, { analyses: ['ocr'] });
    expect(await client.finished(jobId)).toMatchObject({ state: 'succeeded', progress: 1 });
    const result = await client.result(jobId);
    expect(result.texts?.map((text) => text.text)).toContain(slideText);
    expect(result).toMatchObject({
      status: 'complete',
      transcript: null,
      objects: null,
      medium: { kind: 'image' },
    });
  });

  it('by any S3 client: put into inbox/, a job with the default analyses appears by itself', async () => {
    const { stack } = client;
    const endpoint = new URL(stack.s3Endpoint);
    const s3 = new S3Client({
      endPoint: endpoint.hostname,
      port: Number(endpoint.port),
      useSSL: false,
      region: 'us-east-1',
      accessKey: await stack.secret('s3-inbox-access-key'),
      secretKey: await stack.secret('s3-inbox-secret-key'),
    });
    await s3.putObject(stack.bucket, `${inboxPrefix}a speech.wav`, await readFile(media.wav));
    const jobId = await jobNamed('a speech.wav');
    expect(await client.finished(jobId)).toMatchObject({ state: 'succeeded' });
    const { transcript, notes } = await client.result(jobId);
    expect(transcript!.segments.map((segment) => segment.text).join(' ')).toMatch(heard);
    expect(notes.join(' ')).toMatch(/transcribe: .*English/);
  });

  it('by an https address that is fetched into the bucket', async () => {
    const picture = await readFile(media.jpeg);
    const server = createServer((_, answer) => answer.setHeader('content-type', 'image/jpeg').end(picture));
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    try {
      const { port } = server.address() as AddressInfo;
      const { jobs } = await client.submit({
        url: `http://127.0.0.1:${port}/face.jpg`,
        analyses: ['faces', 'objects'],
      });
      expect(await client.finished(jobs[0]!.jobId)).toMatchObject({ state: 'succeeded' });
      const result = await client.result(jobs[0]!.jobId);
      expect(result.people).toHaveLength(1);
      expect(result.faces).toHaveLength(1);
      expect(result.objects!.map((object) => object.label)).toContain('person');
    } finally {
      server.close();
    }
  });

  it('by the key of an object that is there already', async () => {
    const [{ objectKey } = { objectKey: '' }] = await client.sql<{ objectKey: string }[]>`
      select object_key from media where name = 'slide.png'`;
    const { jobs } = await client.submit({ key: objectKey, preset: 'metadata' });
    expect(jobs[0]!.upload).toBeUndefined();
    expect(await client.finished(jobs[0]!.jobId)).toMatchObject({ state: 'succeeded' });
    expect((await client.result(jobs[0]!.jobId)).medium).toMatchObject({
      kind: 'image',
      width: 1280,
      height: 720,
    });
  });

  it('by npm run analyze, which prints a summary and writes JSON and VTT beside the files', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'aima-analyze-'));
    const files = [media.clip, media.jpeg].map((path) => join(folder, basename(path)));
    await copyFile(media.clip, files[0]!);
    await copyFile(media.jpeg, files[1]!);
    const { stdout } = await run(process.execPath, ['scripts/analyze.ts', ...files], {
      env: { ...process.env, AIMA_DATA_DIR: client.stack.dataDir, AIMA_GATEWAY_URL: client.stack.gatewayUrl },
    });
    expect(stdout).toMatch(/clip\.mp4: succeeded/);
    expect(stdout).toMatch(heard);
    expect(JSON.parse(await readFile(`${files[0]}.json`, 'utf8'))).toMatchObject({
      schema: 'aima/result/1',
      status: 'complete',
    });
    expect(await readFile(`${files[0]}.vtt`, 'utf8')).toMatch(/^WEBVTT\n\n00:00:/);
    expect(JSON.parse(await readFile(`${files[1]}.json`, 'utf8')).medium.kind).toBe('image');
    await rm(folder, { recursive: true });
  });

  it('by the AWS command line', async ({ skip }) => {
    const aws = await run('aws', ['--version']).catch(() => null);
    if (!aws) return skip('aws is not installed');
    const { stack } = client;
    const { AWS_CA_BUNDLE: _, ...env } = process.env;
    await run(
      'aws',
      ['s3', 'cp', media.mp3, `s3://${stack.bucket}/inbox/from-aws.mp3`, '--endpoint-url', stack.s3Endpoint],
      {
        env: {
          ...env,
          AWS_ACCESS_KEY_ID: await stack.secret('s3-inbox-access-key'),
          AWS_SECRET_ACCESS_KEY: await stack.secret('s3-inbox-secret-key'),
          AWS_DEFAULT_REGION: 'us-east-1',
        },
      },
    );
    expect(await client.finished(await jobNamed('from-aws.mp3'))).toMatchObject({ state: 'succeeded' });
  });

  it('by faas-cli invoke', async ({ skip }) => {
    const cli = process.env.FAAS_CLI ?? 'faas-cli';
    if (!(await run(cli, ['version', '--short-version']).catch(() => null)))
      return skip('faas-cli is not installed');
    const { stack } = client;
    const invoke = (header: string) =>
      piped(
        cli,
        ['invoke', 'submit-job', '-g', stack.gatewayUrl, '-H', header],
        '{"name": "a.png", "analyses": ["ocr"]}',
      );
    // Versions before 0.16 take headers as NAME=VALUE.
    const answer = await invoke(`Authorization: Bearer ${stack.apiToken}`).catch(() =>
      invoke(`Authorization=Bearer ${stack.apiToken}`),
    );
    const { jobs } = JSON.parse(answer);
    await client.put(jobs[0].upload.url, Uint8Array.from(await readFile(media.png)));
    expect(await client.finished(jobs[0].jobId)).toMatchObject({ state: 'succeeded' });
  });
});

describe('when all is done', () => {
  it('no worker, no login and no lease is left, and each termination is proven', async () => {
    await client.nothingRuns();
    const { sql } = client;
    expect(await sql`select rolname from pg_roles where rolname like 'aima_worker_%'`).toEqual([]);
    const instances = await sql`select state, gone_reads, fence > 0 as spoke from instances`;
    expect(instances.length).toBeGreaterThan(0);
    for (const instance of instances)
      expect(instance).toMatchObject({ state: 'terminated', goneReads: 2, spoke: true });
  });
});

async function jobNamed(name: string): Promise<string> {
  for (let tries = 0; tries < 600; tries++) {
    const answer = await client.call('GET', `jobs?name=${encodeURIComponent(name)}`);
    const { jobs } = (await answer.json()) as { jobs: { jobId: string }[] };
    if (jobs[0]) return jobs[0].jobId;
    await new Promise((done) => setTimeout(done, 100));
  }
  throw new Error(`no job ${name} appears\n${client.stack.output()}`);
}

/** Runs a program with something on its standard input. */
function piped(program: string, args: string[], input: string): Promise<string> {
  return new Promise((done, failed) => {
    const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    let output = '';
    child.stdout.on('data', (chunk) => {
      output += chunk;
    });
    child.once('error', failed);
    child.once('close', (code) =>
      code === 0 ? done(output) : failed(new Error(`${program}: ${code} ${output}`)),
    );
    child.stdin.end(input);
  });
}
