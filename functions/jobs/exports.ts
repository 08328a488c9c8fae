/** Results in the formats of other programs, and the way to pictures and media. */
import { z } from 'zod';
import { core } from '../core/core.ts';
import { AimaError } from '../core/errors.ts';
import { type Reply, reply } from '../core/http/reply.ts';
import { type Route, route } from '../core/http/route.ts';
import { findStored } from '../core/jobs/medium.ts';
import { JobId } from '../core/jobs/shapes.ts';
import { viewJob } from '../core/jobs/view.ts';
import { toCsv } from '../core/results/csv.ts';
import { type Dossier, dossierLanguages } from '../core/results/dossier/dossier.ts';
import { pagePolicy, toDossierPage } from '../core/results/dossier/page.ts';
import { readPictures } from '../core/results/dossier/pictures.ts';
import { toDossierText } from '../core/results/dossier/text.ts';
import { attachment, exportName } from '../core/results/file-name.ts';
import { readResult } from '../core/results/read.ts';
import type { ResultDocument } from '../core/results/schema.ts';
import { toSrt, toText, toVtt } from '../core/results/subtitles.ts';
import { isPictureName, resultPrefix } from '../core/storage/prefix.ts';
import { JobParams } from './read.ts';

const pictureSeconds = 10 * 60;
/** A player asks for a film piece by piece, with the address that it was given at first. */
const mediumSeconds = 6 * 3600;

const DossierQuery = z.object({
  lang: z.enum(dossierLanguages).default('en').meta({ description: 'What it is written in' }),
});

type Segments = NonNullable<ResultDocument['transcript']>['segments'];

export const exportRoutes = [
  exportRoute('transcript.vtt', 'text/vtt', 'The transcript as WebVTT', (result) => toVtt(spoken(result))),
  exportRoute('transcript.srt', 'application/x-subrip', 'The transcript as SubRip', (result) =>
    toSrt(spoken(result)),
  ),
  exportRoute('transcript.txt', 'text/plain', 'The transcript, an utterance a line', (result) =>
    toText(spoken(result)),
  ),
  exportRoute('findings.csv', 'text/csv', 'Everything that was found, in order of time', toCsv),
  route('GET', '/:id/dossier.html', {
    caller: 'user',
    summary: 'Everything that was found as one page to print, with its pictures inside',
    params: JobParams,
    query: DossierQuery,
    responses: { 200: { description: 'A page without scripts', contentType: 'text/html' } },
    errors: ['not_found', 'storage_unavailable'],
    async handle({ caller, params, query: { lang } }) {
      const dossier = await readDossier(caller.userId, params.id);
      const pictures = await readPictures(core().bucket, dossier.result);
      const answer = asFile(dossier.result, 'html', 'text/html', toDossierPage(dossier, pictures, lang));
      // Only a header can say this: in no frame, and where somebody opens it here, as nobody's page.
      answer.headers['content-security-policy'] = `${pagePolicy}; frame-ancestors 'none'; sandbox`;
      return answer;
    },
  }),
  route('GET', '/:id/dossier.txt', {
    caller: 'user',
    summary: 'A summary, and everything that was found on one time axis',
    params: JobParams,
    query: DossierQuery,
    responses: { 200: { description: 'Plain text', contentType: 'text/plain' } },
    errors: ['not_found'],
    async handle({ caller, params, query: { lang } }) {
      const dossier = await readDossier(caller.userId, params.id);
      return asFile(dossier.result, 'txt', 'text/plain', toDossierText(dossier, lang));
    },
  }),
  route('GET', '/:id/pictures/*name', {
    caller: 'user',
    summary: 'A picture of the result, such as the keyframe of a scene',
    params: z.object({ id: JobId, name: z.string().refine(isPictureName, 'is no name of a picture') }),
    responses: { 302: { description: `Where it is, for ${pictureSeconds / 60} minutes` } },
    errors: ['not_found'],
    async handle({ caller, params: { id, name } }) {
      const [own] = await core().sql`select from jobs where job_id = ${id} and user_id = ${caller.userId}`;
      if (!own) throw new AimaError('not_found', `There is no job ${id}.`);
      return redirect(`${resultPrefix(id)}${name}`, pictureSeconds, name.split('/').pop()!);
    },
  }),
  route('GET', '/:id/medium', {
    caller: 'user',
    summary: 'The file itself',
    params: JobParams,
    responses: { 302: { description: `Where it is, for ${mediumSeconds / 3600} hours` } },
    errors: ['not_found', 'storage_unavailable'],
    async handle({ caller, params: { id } }) {
      const medium = await findStored(core(), caller.userId, id);
      if (!medium) throw new AimaError('not_found', 'The file is not stored here.');
      return redirect(medium.objectKey, mediumSeconds, medium.name);
    },
  }),
];

function exportRoute(
  file: string,
  contentType: string,
  summary: string,
  write: (result: ResultDocument) => string,
): Route {
  return route('GET', `/:id/${file}`, {
    caller: 'user',
    summary,
    params: JobParams,
    responses: { 200: { description: summary, contentType } },
    errors: ['not_found'],
    async handle({ caller, params }) {
      const result = await readResult(core(), caller.userId, params.id);
      return asFile(result, file.split('.').pop()!, contentType, write(result));
    },
  });
}

function asFile({ medium }: ResultDocument, extension: string, contentType: string, body: string): Reply {
  const headers = {
    'content-type': `${contentType}; charset=utf-8`,
    'content-disposition': attachment(exportName(medium.name, extension)),
  };
  return reply({ headers, body });
}

async function readDossier(userId: string, jobId: string): Promise<Dossier> {
  const [job, result] = await Promise.all([
    viewJob(core(), userId, jobId),
    readResult(core(), userId, jobId),
  ]);
  const { costMicrodollars, createdAt, finishedAt } = job;
  return { result, costMicrodollars, createdAt, finishedAt };
}

/** @throws AimaError `not_found` with a sentence that says why there is no transcript. */
function spoken(result: ResultDocument): Segments {
  if (result.transcript) return result.transcript.segments;
  const run = result.run?.analyzers.find((analyzer) => analyzer.name === 'transcribe');
  const why = run
    ? (run.reason ?? `The transcription was ${run.status}.`)
    : result.state === 'succeeded'
      ? 'The transcription was not asked for.'
      : `The job is ${result.state}, and nothing was transcribed by now.`;
  throw new AimaError('not_found', `There is no transcript. ${why}`);
}

/** As an attachment: what a stranger's file or machine made must not run as a page of the object store. */
async function redirect(key: string, expirySeconds: number, fileName: string) {
  const location = await core().bucket.presignGet(key, expirySeconds, { disposition: attachment(fileName) });
  return reply({ status: 302, headers: { location } });
}
