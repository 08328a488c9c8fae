/** infra/kubernetes as it stands in the files: one object for each document. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse, parseAllDocuments } from 'yaml';
import { z } from 'zod';

export const kubernetesDir = fileURLToPath(new URL('../../infra/kubernetes', import.meta.url));
const read = (name: string): string => readFileSync(path.join(kubernetesDir, name), 'utf8');

const Container = z.looseObject({
  name: z.string(),
  image: z.string(),
  command: z.array(z.string()),
  env: z.array(z.object({ name: z.string(), value: z.string() })).default([]),
  securityContext: z.unknown(),
  resources: z.object({
    requests: z.object({ cpu: z.string(), memory: z.string() }),
    limits: z.object({ memory: z.string() }),
  }),
});

const Pod = z.object({
  metadata: z.object({ labels: z.object({ app: z.string() }) }),
  spec: z.looseObject({
    automountServiceAccountToken: z.literal(false),
    securityContext: z.looseObject({ runAsNonRoot: z.literal(true), runAsUser: z.int().positive() }),
    initContainers: z.array(Container).default([]),
    containers: z.array(Container),
    volumes: z.array(
      z.looseObject({ name: z.string(), secret: z.looseObject({ secretName: z.string() }).optional() }),
    ),
  }),
});

const Manifest = z.looseObject({
  apiVersion: z.string(),
  kind: z.string(),
  metadata: z.looseObject({ name: z.string(), namespace: z.string().optional() }),
});
export type Manifest = z.output<typeof Manifest>;

export const kustomization = z
  .object({
    apiVersion: z.string(),
    kind: z.literal('Kustomization'),
    resources: z.array(z.string()),
    images: z.array(
      z.object({ name: z.string(), newName: z.string(), newTag: z.string(), digest: z.string().optional() }),
    ),
  })
  .parse(parse(read('kustomization.yaml')));

/** @throws YAMLParseError or ZodError where a file is no list of Kubernetes objects. */
export const manifests: Manifest[] = kustomization.resources.flatMap((name) => readManifests(read(name)));

export function readManifests(text: string): Manifest[] {
  return parseAllDocuments(text).map((document) => {
    const [error] = document.errors;
    if (error) throw error;
    return Manifest.parse(document.toJS());
  });
}

export const ofKind = (kind: string): Manifest[] => manifests.filter((manifest) => manifest.kind === kind);

/** All that run something of ours: name of the workload → its pod. */
export const pods: Record<string, z.output<typeof Pod>> = Object.fromEntries(
  ['Deployment', 'StatefulSet', 'Job']
    .flatMap(ofKind)
    .map((manifest) => [
      manifest.metadata.name,
      Pod.parse((manifest.spec as { template: unknown }).template),
    ]),
);

const Duration = z
  .string()
  .regex(/^\d+s$/)
  .transform((text) => Number(text.slice(0, -1)));

/** The timeouts, in seconds, and what else the tests hold against other files. */
export const chartValues = z
  .looseObject({
    functionNamespace: z.string(),
    async: z.boolean(),
    exposeServices: z.boolean(),
    generateBasicAuth: z.boolean(),
    gateway: z.looseObject({ upstreamTimeout: Duration, readTimeout: Duration, writeTimeout: Duration }),
    faasnetes: z.object({ readTimeout: Duration, writeTimeout: Duration }),
  })
  .parse(parse(read('openfaas-values.yaml')));
