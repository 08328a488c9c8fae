import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { settleJobs } from '../../functions/core/jobs/settle.ts';
import { runReport } from './rows.ts';
import { type System, startJob, startSystem } from './system.ts';

let system: System;
beforeAll(async () => {
  system = await startSystem();
});
afterAll(() => system.stop());

const webp = Buffer.concat([Buffer.from('RIFF\0\0\0\0WEBPVP8 '), Buffer.alloc(100)]);

/** A film of so many scenes, each with a picture. */
async function film(scenes: number): Promise<string> {
  const jobId = await system.uploadedJob({ name: '<b>film</b>.mp4', analyses: ['scenes'] });
  const { server, job } = await startJob(system, jobId);
  const rows = Array.from({ length: scenes }, (_, i) => ({
    ...{ kind: 'scene' as const, sceneId: `s${i}`, startMs: i * 1000, endMs: (i + 1) * 1000, score: null },
    ...{ keyframeMs: i * 1000, thumbnail: `scenes/s${i}.webp` },
  }));
  await server.savePart(job, 'scenes', { fromMs: 0, toMs: scenes * 1000, rows });
  await server.finish(job, runReport([{ name: 'scenes' }]), { kind: 'video', durationMs: scenes * 1000 });
  await settleJobs(system.core, { jobId });
  for (const { thumbnail } of rows)
    await system.core.bucket.write(`results/${jobId}/${thumbnail}`, webp, 'image/webp');
  return jobId;
}

const picturesIn = (page: string) => page.match(/src="data:image\/webp;base64,/g)?.length ?? 0;

describe('the dossier', () => {
  it('is a page with its pictures that may load and run nothing', async () => {
    const jobId = await film(3);
    const { status, headers, text } = await system.api('GET', `/${jobId}/dossier.html`);
    expect(status).toBe(200);
    expect(headers['content-type']).toBe('text/html; charset=utf-8');
    expect(headers['content-disposition']).toContain('attachment');
    const policy = String(headers['content-security-policy']);
    expect(policy).toMatch(/^default-src 'none'; .*frame-ancestors 'none'; sandbox$/);
    expect(policy).not.toContain('unsafe');
    expect(picturesIn(text)).toBe(3);
    expect(text).toContain('&lt;b&gt;film&lt;/b&gt;.mp4');
    expect(text).not.toContain('pictures are shown');
  });

  it('has sixty pictures of a long film, evenly over it, and says so', async () => {
    const { text } = await system.api('GET', `/${await film(130)}/dossier.html`);
    expect(picturesIn(text)).toBe(60);
    expect(text).toContain('60 of 130 pictures are shown');
    expect(text).toContain('>Scene 1<');
    expect(text).toMatch(/>Scene 12\d</);
  });

  it('takes nothing for a picture that is none, and does without those that are gone', async () => {
    const jobId = await film(4);
    const { bucket } = system.core;
    await bucket.write(`results/${jobId}/scenes/s0.webp`, Buffer.from('<svg onload="x"/>'), 'image/svg+xml');
    await bucket.write(
      `results/${jobId}/scenes/s1.webp`,
      Buffer.concat([webp, Buffer.alloc(1 << 20)]),
      'image/webp',
    );
    await bucket.remove(`results/${jobId}/scenes/s2.webp`);
    const { status, text } = await system.api('GET', `/${jobId}/dossier.html`);
    expect([status, picturesIn(text)]).toEqual([200, 1]);
  });

  it('is there as text, in two languages, and of nobody else’s job', async () => {
    const jobId = await film(2);
    const german = await system.api('GET', `/${jobId}/dossier.txt`, { query: { lang: 'de' } });
    expect(german.headers['content-type']).toBe('text/plain; charset=utf-8');
    expect(german.text).toContain('00:00:01  Szene 2');
    expect((await system.api('GET', `/${jobId}/dossier.txt`)).text).toContain('00:00:01  Scene 2');
    expect((await system.api('GET', `/${jobId}/dossier.txt`, { query: { lang: 'xx' } })).status).toBe(400);
    const strange = await system.strangersJob();
    for (const file of ['dossier.html', 'dossier.txt'])
      expect((await system.api('GET', `/${strange}/${file}`)).status).toBe(404);
  });
});
