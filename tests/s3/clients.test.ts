import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Endpoint, minioClient, newBucket, openEndpoint, temporaryFolder } from './fixture.ts';

/** Programs that people use. Each is tried where it is installed, and skipped with a line where it is not. */

const run = promisify(execFile);

async function isInstalled(program: string): Promise<boolean> {
  try {
    await run(program, ['--version']);
    return true;
  } catch {
    console.log(`${program} is not installed: its test is skipped`);
    return false;
  }
}
const installed = {
  aws: await isInstalled('aws'),
  s3cmd: await isInstalled('s3cmd'),
  rclone: await isInstalled('rclone'),
};

let server: Endpoint;
let bucket: string;
let work: Awaited<ReturnType<typeof temporaryFolder>>;
const small = randomBytes(1000);
/** Above the 8 MiB at which awscli begins to upload in parts. */
const large = randomBytes(20 << 20);

beforeAll(async () => {
  server = await openEndpoint();
  bucket = await newBucket(minioClient(server));
  work = await temporaryFolder();
  await writeFile(join(work.folder, 'small file.bin'), small);
  await writeFile(join(work.folder, 'large.bin'), large);
});
afterAll(async () => {
  await server.close();
  await work.remove();
});

/** An environment without the machine's own settings for these programs, proxies and certificates among them. */
function environment(extra: Record<string, string> = {}): NodeJS.ProcessEnv {
  const { PATH = '' } = process.env;
  return { PATH, HOME: work.folder, LANG: 'C.UTF-8', ...extra };
}

/** Uploads, lists, downloads, copies and deletes; `command` runs the program in the work folder. */
async function exercise(steps: {
  upload: (file: string, key: string) => Promise<unknown>;
  list: () => Promise<string>;
  copy: (from: string, to: string) => Promise<unknown>;
  download: (key: string, file: string) => Promise<unknown>;
  remove: (key: string) => Promise<unknown>;
}): Promise<void> {
  await steps.upload('small file.bin', 'dir/small file.bin');
  await steps.upload('large.bin', 'dir/large.bin');
  await steps.copy('dir/large.bin', 'dir/copy.bin');
  const listed = await steps.list();
  for (const name of ['small file.bin', 'large.bin', 'copy.bin']) expect(listed).toContain(name);
  await steps.download('dir/small file.bin', 'small-again');
  await steps.download('dir/copy.bin', 'large-again');
  expect((await readFile(join(work.folder, 'small-again'))).equals(small)).toBe(true);
  expect((await readFile(join(work.folder, 'large-again'))).equals(large)).toBe(true);
  for (const name of ['small file.bin', 'large.bin', 'copy.bin']) await steps.remove(`dir/${name}`);
  expect(await steps.list()).not.toContain('.bin');
}

describe('programs', () => {
  it.skipIf(!installed.aws)('awscli', { timeout: 180_000 }, async () => {
    const env = environment({
      AWS_ACCESS_KEY_ID: server.accessKey,
      AWS_SECRET_ACCESS_KEY: server.secretKey,
      AWS_DEFAULT_REGION: server.region,
      AWS_EC2_METADATA_DISABLED: 'true',
      ...(process.env.PYENV_ROOT && { PYENV_ROOT: process.env.PYENV_ROOT }),
    });
    const aws = async (...args: string[]): Promise<string> =>
      (await run('aws', ['--endpoint-url', server.url, 's3', ...args], { cwd: work.folder, env })).stdout;
    const url = (key: string): string => `s3://${bucket}/${key}`;
    await exercise({
      upload: (file, key) => aws('cp', file, url(key)),
      list: () => aws('ls', '--recursive', `s3://${bucket}`),
      copy: (from, to) => aws('cp', url(from), url(to)),
      download: (key, file) => aws('cp', url(key), file),
      remove: (key) => aws('rm', url(key)),
    });
  });

  it.skipIf(!installed.s3cmd)('s3cmd', { timeout: 180_000 }, async () => {
    const address = `${server.host}:${server.port}`;
    const s3cmd = async (...args: string[]): Promise<string> => {
      const connection = [
        '--config',
        '/dev/null',
        '--no-ssl',
        `--host=${address}`,
        `--host-bucket=${address}`,
      ];
      const keys = [
        `--access_key=${server.accessKey}`,
        `--secret_key=${server.secretKey}`,
        `--region=${server.region}`,
      ];
      return (await run('s3cmd', [...connection, ...keys, ...args], { cwd: work.folder, env: environment() }))
        .stdout;
    };
    const url = (key: string): string => `s3://${bucket}/${key}`;
    await exercise({
      upload: (file, key) => s3cmd('put', file, url(key)),
      list: () => s3cmd('ls', '--recursive', `s3://${bucket}`),
      copy: (from, to) => s3cmd('cp', url(from), url(to)),
      download: (key, file) => s3cmd('get', '--force', url(key), file),
      remove: (key) => s3cmd('del', url(key)),
    });
  });

  it.skipIf(!installed.rclone)('rclone', { timeout: 180_000 }, async () => {
    const env = environment({
      RCLONE_CONFIG_T_TYPE: 's3',
      RCLONE_CONFIG_T_PROVIDER: 'Minio',
      RCLONE_CONFIG_T_ENDPOINT: server.url,
      RCLONE_CONFIG_T_REGION: server.region,
      RCLONE_CONFIG_T_ACCESS_KEY_ID: server.accessKey,
      RCLONE_CONFIG_T_SECRET_ACCESS_KEY: server.secretKey,
      RCLONE_CONFIG_T_UPLOAD_CUTOFF: '8M',
    });
    const rclone = async (...args: string[]): Promise<string> =>
      (await run('rclone', args, { cwd: work.folder, env })).stdout;
    const url = (key: string): string => `t:${bucket}/${key}`;
    await exercise({
      upload: (file, key) => rclone('copyto', file, url(key)),
      list: () => rclone('ls', `t:${bucket}`),
      copy: (from, to) => rclone('copyto', url(from), url(to)),
      download: (key, file) => rclone('copyto', url(key), file),
      remove: (key) => rclone('deletefile', url(key)),
    });
  });
});
