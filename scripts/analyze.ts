/**
 * `npm run analyze -- FILE…`: uploads files to the running system, follows their jobs, prints what
 * was found and writes it beside each file (`talk.mp4.json`, `.vtt`, `.html`), then what it cost.
 */
import { stat, writeFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { analysisNames, presetNames } from '../functions/core/jobs/analyses.ts';
import { Api, type Job, NoAnswerError } from './analyze/api.ts';
import { areDone, bill, machinesOf } from './analyze/bill.ts';
import { ProgressLine } from './analyze/progress-line.ts';
import { summary } from './analyze/summary.ts';
import { uploadFile } from './analyze/upload.ts';

const usage = `npm run analyze -- [options] FILE…

  --analyses a,b   of ${analysisNames.join(', ')}
  --preset NAME    of ${presetNames.join(', ')} (everything: with faces and voices)
  --language CODE  of the speech, such as en
  --anew           compute it again, although the same file was analysed before
  --no-files       print only; write nothing beside the files
  --url ADDRESS    of the system (default: AIMA_GATEWAY_URL or http://127.0.0.1:8080)
  --token TOKEN    default: AIMA_TOKEN, or the one in the data folder (AIMA_DATA_DIR, ./data)`;

const pollMs = 500;
/** A system that is started anew answers again within that. */
const noAnswerMs = 60_000;
/** What is paid is known when the machines are gone, which takes a provider some seconds. */
const billPatienceMs = 15_000;

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      analyses: { type: 'string' },
      preset: { type: 'string' },
      language: { type: 'string' },
      anew: { type: 'boolean', default: false },
      'no-files': { type: 'boolean', default: false },
      url: { type: 'string' },
      token: { type: 'string' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help || positionals.length === 0) {
    console.log(usage);
    return values.help ? 0 : 2;
  }
  const files = await Promise.all(
    positionals.map(async (path) => {
      const found = await stat(path).catch(() => null);
      if (!found?.isFile()) throw new Error(`${path}: there is no such file.`);
      return { path, name: basename(path), sizeBytes: found.size };
    }),
  );
  const api = await Api.open({ url: values.url, token: values.token });
  const { jobs } = await api.submit({
    files: files.map(({ name, sizeBytes }) => ({ name, sizeBytes })),
    ...(values.analyses ? { analyses: values.analyses.split(',').map((name) => name.trim()) } : {}),
    ...(values.preset ? { preset: values.preset } : {}),
    ...(values.language ? { language: values.language } : {}),
    ...(values.anew ? { reuse: false } : {}),
  });

  let failures = 0;
  for (const [index, { path, name, sizeBytes }] of files.entries()) {
    const line = new ProgressLine(process.stdout, name);
    if (jobs[index]!.upload) {
      await uploadFile(api, jobs[index]!, path, sizeBytes, (sent) =>
        line.show('uploading', sent / sizeBytes),
      );
    }
    line.show('uploaded', 1);
    line.end();
  }
  for (const [index, { path, name }] of files.entries()) {
    const job = await follow(api, jobs[index]!.jobId, new ProgressLine(process.stdout, name));
    const result = await api.result(job.jobId);
    console.log(`\n${summary(job, result)}\n`);
    if (job.state !== 'succeeded') failures++;
    if (values['no-files']) continue;
    await writeFile(`${path}.json`, `${JSON.stringify(result, null, 2)}\n`);
    await writeFile(`${path}.html`, await api.text(`/function/jobs/${job.jobId}/dossier.html`));
    const written = [`${name}.json`, `${name}.html`];
    if (result.transcript && result.transcript.segments.length > 0) {
      await writeFile(`${path}.vtt`, await api.text(`/function/jobs/${job.jobId}/transcript.vtt`));
      written.push(`${name}.vtt`);
    }
    console.log(`written: ${written.join(', ')}`);
  }
  await printBills(
    api,
    files.map(({ name }, index) => ({ name, jobId: jobs[index]!.jobId })),
  );
  return failures === 0 ? 0 : 1;
}

async function follow(api: Api, jobId: string, line: ProgressLine): Promise<Job> {
  for (let heardAtMs = Date.now(); ; ) {
    const job = await api.job(jobId).catch((error: unknown) => {
      if (!(error instanceof NoAnswerError) || Date.now() > heardAtMs + noAnswerMs) throw error;
      return null;
    });
    if (job === null) {
      line.show('the system does not answer; trying again', 0);
      await sleep(pollMs);
      continue;
    }
    heardAtMs = Date.now();
    line.show(stateOf(job), job.progress);
    if (['succeeded', 'failed', 'canceled', 'expired'].includes(job.state)) {
      line.end();
      return job;
    }
    await sleep(pollMs);
  }
}

/** With what the planner says of one that waits. */
function stateOf({ jobId, state, queue }: Job): string {
  const said = queue?.reason ? `${state}: ${queue.reason}` : state;
  return state === 'awaiting_confirmation'
    ? `${said}; agree with POST /function/jobs/${jobId}/confirm`
    : said;
}

async function printBills(api: Api, files: { name: string; jobId: string }[]): Promise<void> {
  const read = () => Promise.all([Promise.all(files.map(({ jobId }) => api.job(jobId))), api.machines()]);
  let [jobs, machines] = await read();
  for (const sinceMs = Date.now(); Date.now() < sinceMs + billPatienceMs; [jobs, machines] = await read()) {
    if (jobs.every((job) => areDone(machinesOf(job, machines)))) break;
    await sleep(pollMs);
  }
  console.log();
  for (const [index, { name }] of files.entries()) console.log(`${name}: ${bill(jobs[index]!, machines)}`);
}

try {
  process.exitCode = await main();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
