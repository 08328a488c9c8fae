/**
 * What a person may ask of submit-job, and the answer. The schemas check requests and describe them
 * in the OpenAPI document; what is stored as a job's options is `JobOptions`.
 */
import { z } from 'zod';
import { idPattern } from '../ids.ts';
import { type AnalysisName, analysisNames, PRESETS, presetNames } from '../jobs/analyses.ts';

const JobId = z.string().regex(idPattern);

/** Postgres knows neither the character 0 nor halves of surrogate pairs; nobody means the other ones in a name. */
function printable(text: string): string {
  return text.replace(/\p{Cc}+/gu, ' ').toWellFormed();
}

const fileShape = {
  name: z
    .string()
    .min(1)
    .max(1000)
    .transform((name) => printable(name).trim() || 'medium')
    .optional()
    .meta({ description: 'What you call the file. Never used as a path.' }),
  contentType: z
    .string()
    .max(200)
    .regex(/^[\w.+-]+\/[\w.+-]+(\s*;.*)?$/, 'must be a media type such as video/mp4')
    .optional(),
  sizeBytes: z.int().nonnegative().optional().meta({ description: 'Beyond 64 MiB the upload is in parts.' }),
  key: z
    .string()
    .min(1)
    .max(1024)
    .optional()
    .meta({ description: 'An object of yours that is in the bucket: inbox/… or uploads/…' }),
  url: z
    .string()
    .min(1)
    .max(4096)
    .optional()
    .meta({ description: 'A public https address to fetch it from' }),
};

type FileFields = z.output<z.ZodObject<typeof fileShape>>;

function faultOf(file: FileFields): string | null {
  if (file.key !== undefined && file.url !== undefined) return 'must have a key or a url, not both';
  if (file.key === undefined && file.url === undefined && file.name === undefined)
    return 'needs a name, a key or a url';
  return null;
}

/** As the worker reads it: every tag that Intl takes, and no other. */
function isLanguageTag(tag: string): boolean {
  try {
    return Intl.getCanonicalLocales(tag).length === 1;
  } catch {
    return false;
  }
}

/** Postgres knows no year 0, and JavaScript some that Postgres does not. */
function isThisCentury(time: string): boolean {
  const ms = Date.parse(time);
  return ms >= Date.UTC(2000) && ms < Date.UTC(2100);
}

const File = z.strictObject(fileShape).superRefine((file, context) => {
  const fault = faultOf(file);
  if (fault) context.addIssue({ code: 'custom', message: fault });
});

/** Control characters but the ones that lay text out are of no use to a model. */
const contextText = z
  .string()
  .max(4000)
  .transform((text) => text.replace(/(?![\n\t])\p{Cc}/gu, ' ').toWellFormed());

export const SubmitRequest = z
  .strictObject({
    files: z.array(File).min(1).max(500).optional(),
    ...fileShape,
    analyses: z.array(z.enum(analysisNames)).min(1).max(20).optional(),
    preset: z.enum(presetNames).optional(),
    language: z
      .string()
      .max(35)
      .refine(isLanguageTag, 'must be a BCP 47 code such as en or de-CH')
      .optional()
      .meta({ description: 'Spoken language; detected where it is left out' }),
    reuse: z.boolean().default(true).meta({
      description: 'false: compute anew what an earlier job of yours has found in the same content',
    }),
    context: contextText.optional().meta({ description: 'What the medium is about, names that occur in it' }),
    priority: z.int().min(-10).max(10).default(0),
    maxCostMicrodollars: z.int().positive().optional(),
    deadlineAt: z.iso
      .datetime({ offset: true })
      .refine(isThisCentury, 'must be in this century')
      .optional()
      .meta({
        description: 'When the results are wanted: more is paid to have them by then, within all limits',
      }),
    callbackUrl: z
      .string()
      .min(1)
      .max(2000)
      .optional()
      .meta({ description: 'Gets a signed POST when a job is settled' }),
  })
  .superRefine((request, context) => {
    const { files, analyses, preset, ...file } = request;
    const isSingle = Object.keys(fileShape).some((name) => file[name as keyof FileFields] !== undefined);
    const fault =
      files && isSingle ? 'must have files, or one file at the top, not both' : files ? null : faultOf(file);
    if (fault) context.addIssue({ code: 'custom', message: fault });
    if (analyses && preset)
      context.addIssue({ code: 'custom', message: 'must have analyses or a preset, not both' });
  })
  .meta({
    id: 'SubmitRequest',
    description: 'Files to analyse, each of which becomes a job; one file may stand at the top',
  });

export type SubmitRequest = z.output<typeof SubmitRequest>;
export type SubmittedFile = FileFields;

/** What is kept in jobs.options for the worker. */
export interface JobOptions {
  language?: string;
  context?: string;
}

export function filesOf(request: SubmitRequest): SubmittedFile[] {
  if (request.files) return request.files;
  const { name, contentType, sizeBytes, key, url } = request;
  return [{ name, contentType, sizeBytes, key, url }];
}

export function analysesOf(request: Pick<SubmitRequest, 'analyses' | 'preset'>): AnalysisName[] {
  return [...new Set(request.analyses ?? PRESETS[request.preset ?? 'default'])];
}

export function optionsOf({ language, context }: SubmitRequest): JobOptions {
  return { ...(language ? { language } : {}), ...(context ? { context } : {}) };
}

export const CompleteRequest = z.strictObject({
  parts: z
    .array(z.strictObject({ partNumber: z.int().min(1).max(10_000), etag: z.string().min(1).max(200) }))
    .min(1)
    .max(10_000),
});

export const JobParams = z.object({ jobId: JobId });

export const SubmitHeaders = z.object({
  'idempotency-key': z
    .string()
    .regex(/^[\x21-\x7e]{1,200}$/, 'must be 1 to 200 printable ASCII characters without spaces')
    .optional()
    .meta({ description: 'The same key with the same request makes nothing a second time' }),
});

export const Upload = z
  .object({
    method: z.literal('PUT'),
    url: z.url().optional().meta({ description: 'Send the whole file there, in one request' }),
    headers: z.record(z.string(), z.string()).optional(),
    multipart: z
      .object({
        partSizeBytes: z.int().meta({ description: 'Of every part but the last' }),
        parts: z.array(z.object({ partNumber: z.int(), url: z.url() })),
        complete: z.string().meta({
          description:
            'POST {parts: [{partNumber, etag}]} there when every part is sent; etag is a header of each answer',
        }),
      })
      .optional(),
    expiresAt: z.iso.datetime().meta({ description: 'Ask at links.upload for new addresses after that' }),
  })
  .meta({ id: 'Upload', description: 'Where to send a file: one address, or one for each part' });

export type Upload = z.infer<typeof Upload>;

export const SubmittedJob = z
  .object({
    jobId: JobId,
    state: z.string(),
    name: z.string(),
    error: z.object({ code: z.string(), detail: z.string() }).optional(),
    upload: Upload.optional(),
    links: z.object({ self: z.string(), upload: z.string().optional() }),
  })
  .meta({ id: 'SubmittedJob' });

export type SubmittedJob = z.infer<typeof SubmittedJob>;

export const SubmitAnswer = z
  .object({ batchId: z.string(), jobs: z.array(SubmittedJob) })
  .meta({ id: 'SubmitAnswer' });

export type SubmitAnswer = z.infer<typeof SubmitAnswer>;
