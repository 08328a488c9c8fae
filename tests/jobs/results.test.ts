import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { settleJobs } from '../../functions/core/jobs/settle.ts';
import { runReport, segment } from './rows.ts';
import { type System, startJob, startSystem } from './system.ts';

let system: System;
beforeAll(async () => {
  system = await startSystem();
});
afterAll(() => system.stop());

/** A settled job in which two sentences were said. */
async function talk(name: string): Promise<string> {
  const jobId = await system.uploadedJob({ name, analyses: ['transcribe', 'scenes'] });
  const { server, job } = await startJob(system, jobId);
  await server.savePart(job, 'transcribe', { fromMs: 0, toMs: 2000, rows: [segment('good morning', 0)] });
  await server.savePart(job, 'transcribe', { fromMs: 2000, toMs: 4000, rows: [segment('see you', 2000)] });
  const run = runReport([{ name: 'transcribe' }, { name: 'scenes', status: 'nothing_found' }]);
  await server.finish(job, run, { kind: 'audio', durationMs: 4000 });
  await settleJobs(system.core, { jobId });
  return jobId;
}

describe('a result', () => {
  it('is partial while the job runs, and the kept document afterwards', async () => {
    const jobId = await system.uploadedJob({ analyses: ['transcribe'] });
    const { server, job } = await startJob(system, jobId);
    const early = (await system.api('GET', `/${jobId}/result`)).body;
    expect(early).toMatchObject({
      schema: 'aima/result/1',
      status: 'partial',
      state: 'running',
      transcript: null,
    });
    await server.savePart(job, 'transcribe', { fromMs: 0, toMs: 2000, rows: [segment('good morning', 0)] });
    const partial = (await system.api('GET', `/${jobId}/result`)).body;
    expect(partial).toMatchObject({ status: 'partial', transcript: { status: 'partial' } });
    await server.finish(job, runReport([{}]), {});
    await settleJobs(system.core, { jobId });
    const { body, headers } = await system.api('GET', `/${jobId}/result`);
    expect(headers['content-type']).toBe('application/json');
    expect(body).toMatchObject({ status: 'complete', state: 'succeeded', transcript: { status: 'ok' } });
    expect(body.transcript.segments).toEqual(partial.transcript.segments);
    expect(body.scenes).toBeNull();
  });

  it('of a canceled job keeps what was found', async () => {
    const jobId = await system.uploadedJob({ analyses: ['transcribe'] });
    const { server, job } = await startJob(system, jobId);
    await server.savePart(job, 'transcribe', { fromMs: 0, toMs: 2000, rows: [segment('good morning', 0)] });
    await system.api('POST', `/${jobId}/cancel`);
    const { body } = await system.api('GET', `/${jobId}/result`);
    expect(body).toMatchObject({ status: 'partial', state: 'canceled' });
    expect(body.transcript.segments[0].text).toBe('good morning');
  });

  it('leaves out what a worker saved in a wrong shape, and says so', async () => {
    const jobId = await system.uploadedJob({ analyses: ['transcribe'] });
    const { server, job } = await startJob(system, jobId);
    await server.savePart(job, 'transcribe', {
      fromMs: 0,
      toMs: 2000,
      rows: [segment('good morning', 0), { ...segment('never was', 0), startMs: -5 }],
    });
    await server.finish(job, { lies: true }, {});
    expect(await settleJobs(system.core, { jobId })).toEqual([jobId]);
    const { body } = await system.api('GET', `/${jobId}/result`);
    expect(body.transcript.segments.map((one: { text: string }) => one.text)).toEqual(['good morning']);
    expect(body.run).toBeNull();
    expect(body.notes.join()).toMatch(/1 of the saved findings/);
  });
});

describe('exports', () => {
  it('have their types, names and contents', async () => {
    const jobId = await talk('Über Äpfel/"Talk" 1.mp4');
    const get = (file: string) => system.api('GET', `/${jobId}/${file}`);
    const vtt = await get('transcript.vtt');
    expect(vtt.headers['content-type']).toBe('text/vtt; charset=utf-8');
    expect(vtt.headers['content-disposition']).toBe(
      `attachment; filename="_Talk_ 1.vtt"; filename*=UTF-8''_Talk_%201.vtt`,
    );
    expect(vtt.text).toBe(
      'WEBVTT\n\n00:00:00.000 --> 00:00:00.200\ngood morning\n\n00:00:02.000 --> 00:00:02.200\nsee you\n',
    );
    const srt = await get('transcript.srt');
    expect(srt.headers['content-type']).toBe('application/x-subrip; charset=utf-8');
    expect(srt.text).toContain('2\n00:00:02,000 --> 00:00:02,200\nsee you\n');
    const txt = await get('transcript.txt');
    expect(txt.headers['content-type']).toBe('text/plain; charset=utf-8');
    expect(txt.text).toBe('good morning\nsee you\n');
    const csv = await get('findings.csv');
    expect(csv.headers['content-type']).toBe('text/csv; charset=utf-8');
    expect(csv.text.split('\r\n').slice(0, 2)).toEqual([
      'startMs,endMs,kind,id,text,confidence,x,y,w,h',
      '0,1000,speech,,good morning,0.5,,,,',
    ]);
  });

  it('of a job without a transcript say why there is none', async () => {
    const silent = await system.uploadedJob({ analyses: ['scenes'] });
    const running = await startJob(system, silent);
    const detailOf = async (jobId: string) => {
      const { status, body } = await system.api('GET', `/${jobId}/transcript.srt`);
      expect([status, body.code]).toEqual([404, 'not_found']);
      return body.detail;
    };
    expect(await detailOf(silent)).toBe(
      'There is no transcript. The job is running, and nothing was transcribed by now.',
    );
    await running.server.finish(running.job, runReport([{ name: 'scenes' }]), {});
    await settleJobs(system.core, { jobId: silent });
    expect(await detailOf(silent)).toBe('There is no transcript. The transcription was not asked for.');

    const skipped = await system.uploadedJob({ analyses: ['transcribe'] });
    const { server, job } = await startJob(system, skipped);
    await server.finish(job, runReport([{ status: 'skipped', reason: 'The film has no sound.' }]), {});
    expect(await detailOf(skipped)).toBe('There is no transcript. The film has no sound.');
    expect((await system.api('GET', `/${skipped}/findings.csv`)).status).toBe(200);
  });
});

describe('pictures and media', () => {
  it('are redirects to addresses that work without a token, as attachments', async () => {
    const jobId = await system.uploadedJob({ name: 'Täst 1.wav' });
    await system.core.bucket.write(`results/${jobId}/scenes/s1.webp`, Buffer.from('picture'), 'image/webp');
    const picture = await system.api('GET', `/${jobId}/pictures/scenes/s1.webp`);
    expect(picture.status).toBe(302);
    const fetched = await fetch(String(picture.headers.location));
    expect(await fetched.text()).toBe('picture');
    expect(fetched.headers.get('content-disposition')).toContain('attachment');
    const medium = await system.api('GET', `/${jobId}/medium`);
    expect(medium.status).toBe(302);
    const sound = await fetch(String(medium.headers.location));
    expect(await sound.text()).toBe('sound');
    expect(sound.headers.get('content-disposition')).toContain("filename*=UTF-8''T%C3%A4st%201.wav");
  });

  it.each(['..%2f..%2fuploads%2fx', 'scenes/%2e%2e/x', 'a//b', '.hidden', 'a%00b', '%2fetc'])(
    'refuses the name %s',
    async (name) => {
      const jobId = await system.uploadedJob();
      const { status } = await system.api('GET', `/${jobId}/pictures/${name}`);
      expect([400, 404]).toContain(status);
    },
  );

  it('says so where the file is gone', async () => {
    const jobId = await system.uploadedJob();
    await system.core.bucket.remove(`uploads/${jobId}/a.wav`);
    const { status, body } = await system.api('GET', `/${jobId}/medium`);
    expect([status, body.detail]).toEqual([404, 'The file is not stored here.']);
  });
});
