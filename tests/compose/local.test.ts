/** docker-compose.local.yaml: gateway and worker in one image, as local.Dockerfile puts them together. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { type ComposeFile, composeDir } from './compose-file.ts';
import { type Installation, openNetwork, startInstallation } from './installation.ts';

const Override = z.strictObject({
  services: z.strictObject({
    gateway: z.strictObject({
      image: z.string(),
      environment: z.record(z.string(), z.string()),
      volumes: z.array(z.string()),
      mem_limit: z.string(),
    }),
  }),
  volumes: z.record(z.string(), z.null()),
});
const override = Override.parse(
  parse(readFileSync(path.join(composeDir, 'docker-compose.local.yaml'), 'utf8')),
);

/** As compose does it: lists grow, values are replaced. */
function merge(file: ComposeFile): void {
  const { image, environment, volumes, mem_limit } = override.services.gateway;
  const gateway = file.services.gateway!;
  // What the worker's image sets (gpu-worker/cpu.Dockerfile).
  const ofImage = { AIMA_MODELS_DIR: '/models' };
  Object.assign(gateway, { image, mem_limit });
  Object.assign(gateway.environment, ofImage, environment);
  gateway.volumes.push(...volumes);
  Object.assign(file.volumes, override.volumes);
}

const project = path.join(composeDir, '../..');
const network = await openNetwork('the worker beside the functions in a container');

describe.skipIf(network === null)('compose with the local provider', () => {
  let it: Installation;
  beforeAll(async () => {
    const files = ['gpu-worker', 'functions', 'node_modules', 'package.json'];
    it = await startInstallation(network!, {
      change: merge,
      imageFiles: Object.fromEntries(files.map((name) => [`/aima/${name}`, path.join(project, name)])),
    });
  });
  afterAll(async () => {
    await it?.remove();
    await network!.remove();
  });

  test('an uploaded medium is analysed inside', async () => {
    const { jobId } = await it.upload({ preset: 'metadata' });
    await it.jobUntil(jobId, 'succeeded');
    const { body } = await it.call('GET', `/function/jobs/${jobId}/result`, { headers: it.authorized });
    expect(JSON.parse(body)).toMatchObject({ status: 'complete', medium: { name: 'silence.wav' } });
  });
});
