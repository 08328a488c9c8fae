/**
 * The events of the system: names say what happened, bodies are JSON with a version. An event only
 * says "look now": whoever receives one reads Postgres, and a lost, doubled or late one changes
 * nothing but the delay. MQTT 3.1.1, QoS 1.
 */
import { z } from 'zod';
import { idPattern } from '../ids.ts';

const id = z.string().regex(idPattern);
const v = z.literal(1);

/** `aima/media/requested`: media to be fetched from an address, or already there and not looked at. */
export const MediaRequested = z.object({ v, jobIds: z.array(id).max(1000) });
/** `aima/jobs/queued`: there is something for the planner. */
export const JobsQueued = z.object({ v, jobIds: z.array(id).max(1000) });
/** `aima/jobs/settled`: a job has reached a final state and all that follows from it is done. */
export const JobSettled = z.object({ v, jobId: id, state: z.string() });
/** `aima/instances/drained`: an instance is to end. */
export const InstanceDrained = z.object({ v, instanceId: id });
/** `aima/leases/<instanceId>/ready | finished | idle`, from workers. */
export const LeaseEvent = z.object({ v, jobId: id.optional() });
/** `aima/leases/<instanceId>/progress`, from workers. */
export const LeaseProgress = z.object({ v, jobId: id, progress: z.number().min(0).max(1) });
/** `aima/users/<userId>/jobs/<jobId>`, retained: the state of a job as its owner may see it. */
export const UserJob = z.object({
  v,
  jobId: id,
  state: z.string(),
  progress: z.number(),
  at: z.iso.datetime(),
});

/** What an object store in MinIO's manner says on `aima/media/uploaded`; only what is used here. */
export const MediaUploaded = z.object({
  EventName: z.string(),
  Records: z
    .array(
      z.object({
        s3: z.object({
          bucket: z.object({ name: z.string() }),
          // Query-escaped: a space is a plus, a slash %2F. Size is omitted for an empty object.
          object: z.object({ key: z.string(), size: z.number().optional(), eTag: z.string().optional() }),
        }),
      }),
    )
    .min(1),
});

export const topics = {
  mediaUploaded: 'aima/media/uploaded',
  mediaRequested: 'aima/media/requested',
  jobsQueued: 'aima/jobs/queued',
  jobsSettled: 'aima/jobs/settled',
  instancesDrained: 'aima/instances/drained',
  lease: (instanceId: string, what: 'ready' | 'progress' | 'finished' | 'idle') =>
    `aima/leases/${instanceId}/${what}`,
  userJob: (userId: string, jobId: string) => `aima/users/${userId}/jobs/${jobId}`,
};

// The bodies as types, which their senders must satisfy.
export type MediaRequested = z.input<typeof MediaRequested>;
export type JobsQueued = z.input<typeof JobsQueued>;
export type JobSettled = z.input<typeof JobSettled>;
export type InstanceDrained = z.input<typeof InstanceDrained>;
export type LeaseEvent = z.input<typeof LeaseEvent>;
export type LeaseProgress = z.input<typeof LeaseProgress>;
export type UserJob = z.input<typeof UserJob>;
