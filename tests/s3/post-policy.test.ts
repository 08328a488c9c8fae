import type { Client } from 'minio';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Endpoint, isForeign, minioClient, newBucket, openEndpoint, readAll } from './fixture.ts';
import { postFields, type Signer } from './sign.ts';

let server: Endpoint;
let minio: Client;
let bucket: string;
const data = Buffer.from('form data '.repeat(50));

beforeAll(async () => {
  server = await openEndpoint();
  minio = minioClient(server);
  bucket = await newBucket(minio);
});
afterAll(() => server.close());

type Fields = Record<string, string>;

async function post(fields: Fields, file: Buffer | null = data, filename = 'f.bin') {
  const form = new FormData();
  for (const [name, value] of Object.entries(fields)) form.append(name, value);
  if (file) form.append('file', new Blob([new Uint8Array(file)]), filename);
  const answer = await fetch(`${server.url}/${bucket}`, { method: 'POST', body: form, redirect: 'manual' });
  const text = await answer.text();
  return { status: answer.status, headers: answer.headers, text, code: /<Code>(.*?)</.exec(text)?.[1] ?? '' };
}

/** Fields for one key, with further conditions and the fields they speak of. */
function form(key: string, conditions: unknown[] = [], fields: Fields = {}, signer: Signer = server): Fields {
  const bound = [{ bucket }, { key }, ['content-length-range', 1, 2000], ...conditions];
  return { key, ...fields, ...postFields(signer, bound) };
}

const exists = (key: string): Promise<boolean> =>
  minio.statObject(bucket, key).then(
    () => true,
    () => false,
  );

describe('uploads by form', () => {
  it('store what the policy allows', async () => {
    const fields = form(
      'post/ok',
      [{ 'content-type': 'video/x-test' }, ['starts-with', '$x-amz-meta-job', 'j']],
      {
        'content-type': 'video/x-test',
        'x-amz-meta-job': 'j1',
      },
    );
    const answer = await post(fields);
    expect(answer.status).toBe(204);
    expect(await readAll(await minio.getObject(bucket, 'post/ok'))).toEqual(data);
    expect((await minio.statObject(bucket, 'post/ok')).metaData).toMatchObject({
      'content-type': 'video/x-test',
      job: 'j1',
    });
  });

  it('work as minio-js signs them', async () => {
    const policy = minio.newPostPolicy();
    policy.setBucket(bucket);
    policy.setKey('post/minio');
    policy.setExpires(new Date(Date.now() + 60_000));
    policy.setContentLengthRange(1, 2000);
    const { formData } = await minio.presignedPostPolicy(policy);
    expect((await post(formData)).status).toBe(204);
    expect(await exists('post/minio')).toBe(true);
  });

  it('take any key below a prefix, and the file name into it', async () => {
    const conditions = [{ bucket }, ['starts-with', '$key', 'post/any/']];
    // biome-ignore lint/suspicious/noTemplateCurlyInString: S3's own placeholder
    const fields = { key: 'post/any/${filename}', ...postFields(server, conditions) };
    expect((await post(fields, data, 'my $& film.mp4')).status).toBe(204);
    expect(await exists('post/any/my $& film.mp4')).toBe(true);
    const outside = { key: 'post/other/x', ...postFields(server, conditions) };
    expect(await post(outside)).toMatchObject({ status: 403 });
    expect(await exists('post/other/x')).toBe(false);
  });

  it('answer as the form asks', async () => {
    const fields = form('post/201', [{ success_action_status: '201' }], { success_action_status: '201' });
    const answer = await post(fields);
    expect(answer.status).toBe(201);
    expect(answer.text).toContain('<Key>post/201</Key>');
  });
});

describe('forms that are refused', () => {
  it.each([
    ['too large', Buffer.alloc(2001)],
    ['too small', Buffer.alloc(0)],
  ])('a file that is %s', async (_, file) => {
    expect((await post(form('post/size'), file)).status).toBe(400);
    expect(await exists('post/size')).toBe(false);
  });

  it('another key', async () => {
    expect((await post({ ...form('post/mine'), key: 'post/yours' })).status).toBe(403);
    expect(await exists('post/yours')).toBe(false);
  });

  it('another content type', async () => {
    const fields = form('post/type', [['starts-with', '$content-type', 'image/']], {
      'content-type': 'text/html',
    });
    expect((await post(fields)).status).toBe(403);
  });

  it('a field that the policy does not name', async () => {
    expect((await post(form('post/extra', [], { 'x-amz-meta-sneaked': 'in' }))).status).toBe(403);
    expect(await exists('post/extra')).toBe(false);
  });

  it('a condition without its field', async () => {
    expect((await post(form('post/lacking', [{ 'x-amz-meta-job': 'j1' }]))).status).toBe(403);
  });

  it('a wrong secret, an unknown key, a changed policy, none at all', async () => {
    expect((await post(form('post/no', [], {}, { ...server, secretKey: 'wrong' }))).status).toBe(403);
    expect((await post(form('post/no', [], {}, { ...server, accessKey: 'nobody' }))).status).toBe(403);
    const fields = form('post/no');
    const policy = JSON.parse(Buffer.from(fields.policy!, 'base64').toString());
    policy.expiration = new Date(Date.now() + 1e9).toISOString();
    const changed = Buffer.from(JSON.stringify(policy)).toString('base64');
    expect((await post({ ...fields, policy: changed })).status).toBe(403);
    expect([400, 403]).toContain((await post({ key: 'post/no' })).status);
    expect(await exists('post/no')).toBe(false);
  });

  it('an expired policy', async () => {
    const conditions = [{ bucket }, { key: 'post/late' }];
    const expiresAt = Date.now() - 1000;
    expect((await post({ key: 'post/late', ...postFields(server, conditions, { expiresAt }) })).status).toBe(
      403,
    );
    expect(await exists('post/late')).toBe(false);
  });

  it('a policy for another bucket', async () => {
    const fields = { key: 'post/x', ...postFields(server, [{ bucket: 'elsewhere' }, { key: 'post/x' }]) };
    expect((await post(fields)).status).toBe(403);
  });

  it.skipIf(isForeign)('a policy that binds no key', async () => {
    expect((await post({ key: 'post/free', ...postFields(server, [{ bucket }]) })).status).toBe(403);
  });

  it.skipIf(isForeign)('a field sent twice', async () => {
    const fields = form('post/twice');
    const body = new FormData();
    for (const [name, value] of Object.entries(fields)) body.append(name, value);
    body.append('key', 'post/second');
    body.append('file', new Blob([new Uint8Array(data)]));
    expect((await fetch(`${server.url}/${bucket}`, { method: 'POST', body })).status).toBe(400);
    expect(await exists('post/second')).toBe(false);
  });

  it('nothing behind the file', async () => {
    const body = new FormData();
    for (const [name, value] of Object.entries(form('post/behind'))) body.append(name, value);
    body.append('file', new Blob([new Uint8Array(data)]));
    body.append('success_action_redirect', 'https://evil.example/');
    const answer = await fetch(`${server.url}/${bucket}`, { method: 'POST', body, redirect: 'manual' });
    expect(answer.status).toBe(204);
  });

  it('a body that is no form', async () => {
    const headers = { 'content-type': 'multipart/form-data; boundary=x' };
    for (const body of ['', 'rubbish', '--x\r\ncontent-disposition: form-data; name="file"\r\n\r\ncut']) {
      const answer = await fetch(`${server.url}/${bucket}`, { method: 'POST', headers, body });
      expect(answer.status).toBeGreaterThanOrEqual(400);
      expect(answer.status).toBeLessThan(500);
    }
    expect((await post(form('post/none'), null)).status).toBe(400);
  });
});
