/** Pictures that are like one of a job's, in the whole library of its owner. */
import { z } from 'zod';
import { core } from '../core/core.ts';
import { route } from '../core/http/route.ts';
import { JobId, linkOf } from '../core/jobs/shapes.ts';
import { findSimilar } from '../core/results/similar.ts';
import { JobParams } from './read.ts';

const SimilarQuery = z.object({
  pictureId: z
    .string()
    .min(1)
    .max(64)
    .refine((text) => !text.includes('\0'), 'must not contain the character 0')
    .meta({ description: 'One of `pictures` in the result of the job' }),
  limit: z.coerce.number().int().min(1).max(100).default(20),
  minSimilarity: z.coerce
    .number()
    .min(0)
    .max(1)
    .default(0.4)
    .meta({ description: 'Leaves out what is less alike; copies are never left out' }),
  elsewhere: z
    .enum(['true', 'false'])
    .default('false')
    .meta({ description: 'true: only pictures of other jobs' }),
});

const SimilarPicture = z
  .object({
    jobId: JobId,
    mediumName: z.string().meta({ description: 'Of the file' }),
    mediumKind: z.enum(['image', 'audio', 'video']).nullable(),
    pictureId: z.string(),
    startMs: z.int(),
    keyframeMs: z.int().meta({ description: 'Of the very picture, in the medium' }),
    similarity: z.number().min(0).max(1).nullable().meta({
      description:
        'Cosine of what there is to see in both: about .2 for two of nothing in common, .6 for two of such a thing, .8 for the same view, 1 for the same picture. null where the two were described by different models.',
    }),
    hashDistance: z
      .int()
      .min(0)
      .max(64)
      .meta({ description: 'Bits in which the perceptual hashes differ; at most 10 for copies' }),
    thumbnail: z.string().nullable().meta({ description: 'Where it is' }),
  })
  .meta({ id: 'SimilarPicture' });

const SimilarAnswer = z
  .object({
    pictures: z.array(SimilarPicture).meta({ description: 'Copies first, each the most alike first' }),
  })
  .meta({ id: 'SimilarAnswer' });

export const similarRoutes = [
  route('GET', '/:id/similar', {
    caller: 'user',
    summary: 'Pictures of all your jobs that are like one of this job’s',
    params: JobParams,
    query: SimilarQuery,
    responses: {
      200: { description: 'None where there is nothing to see in the picture', schema: SimilarAnswer },
    },
    errors: ['not_found'],
    async handle({ caller, params: { id }, query: { pictureId, elsewhere, ...rest } }) {
      const subject = { jobId: id, pictureId };
      const query = { ...rest, elsewhere: elsewhere === 'true' };
      const found = await findSimilar(core(), caller.userId, subject, query);
      return {
        pictures: found.map((one) => ({
          ...one,
          thumbnail: one.thumbnail && linkOf(one.jobId, `/pictures/${encodePath(one.thumbnail)}`),
        })),
      };
    },
  }),
];

const encodePath = (name: string) => name.split('/').map(encodeURIComponent).join('/');
