/**
 * submit-job: step 1 of a request. Makes a job of every file that is announced, already in the
 * bucket or at an https address, and puts it into the queue when its medium is there.
 */
import { authenticate } from '../core/auth/caller.ts';
import { core } from '../core/core.ts';
import { defineFunction } from '../core/http/function.ts';
import { reply } from '../core/http/reply.ts';
import { route } from '../core/http/route.ts';
import { handleIntakeEvent, IntakeEvent } from '../core/submit/events.ts';
import * as shapes from '../core/submit/request.ts';
import { submit } from '../core/submit/submit.ts';
import { completeUpload, renewUpload } from '../core/submit/upload.ts';

export default defineFunction({
  name: 'submit-job',
  authenticate,
  routes: [
    route('POST', '/', {
      caller: 'user',
      summary: 'Submit files to be analysed',
      headers: shapes.SubmitHeaders,
      body: shapes.SubmitRequest,
      maxBodyBytes: 2 ** 20,
      responses: {
        202: { description: 'One job for each file, and where to upload it', schema: shapes.SubmitAnswer },
      },
      errors: ['not_found', 'conflict', 'idempotency_conflict', 'url_not_allowed', 'media_too_large'],
      async handle({ caller, body, headers }) {
        const answer = await submit(core(), caller.userId, body, headers['idempotency-key']);
        const [first, second] = answer.jobs;
        const location = second ? `/function/jobs?batchId=${answer.batchId}` : first!.links.self;
        return reply({ status: 202, headers: { location }, body: answer });
      },
    }),
    route('POST', '/', {
      caller: 'connector',
      summary: 'An object was uploaded, or a medium is to be fetched',
      body: IntakeEvent,
      maxBodyBytes: 2 ** 20,
      responses: { 204: { description: 'Looked at' } },
      handle: ({ body }) => handleIntakeEvent(core(), body),
    }),
    route('POST', '/:jobId/complete', {
      caller: 'user',
      summary: 'Every part of an upload in parts is sent',
      params: shapes.JobParams,
      body: shapes.CompleteRequest,
      maxBodyBytes: 2 ** 20,
      responses: {
        200: { description: 'The job, with what was found of its medium', schema: shapes.SubmittedJob },
      },
      errors: ['not_found', 'wrong_state'],
      handle: ({ caller, params, body }) => completeUpload(core(), caller.userId, params.jobId, body.parts),
    }),
    route('POST', '/:jobId/upload', {
      caller: 'user',
      summary: 'New addresses for an upload whose old ones have expired',
      params: shapes.JobParams,
      responses: { 200: { description: 'Where to send the file', schema: shapes.Upload } },
      errors: ['not_found', 'wrong_state'],
      handle: ({ caller, params }) => renewUpload(core(), caller.userId, params.jobId),
    }),
  ],
});
