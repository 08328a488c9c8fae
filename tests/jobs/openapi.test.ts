import { Ajv2020 } from 'ajv/dist/2020.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ApiDocument, schemaCompiler } from './openapi-checker.ts';
import { type System, startSystem } from './system.ts';

let system: System;
let document: ApiDocument;
beforeAll(async () => {
  system = await startSystem();
  document = (await system.api('GET', '/openapi.json', { token: null })).body;
});
afterAll(() => system.stop());

describe('the OpenAPI document', () => {
  it('has every route that people may use, and none of the connector’s', () => {
    const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path.replace('/function/', '')}`),
    );
    expect(operations.toSorted()).toEqual(
      [
        'POST orchestrate/hold',
        'POST orchestrate/release',
        'POST orchestrate/quote',
        'POST submit-job',
        'POST submit-job/{jobId}/complete',
        'POST submit-job/{jobId}/upload',
        'GET jobs',
        'GET jobs/costs',
        'GET jobs/health',
        'GET jobs/metrics',
        'GET jobs/search',
        'GET jobs/people',
        'PUT jobs/people/settings',
        'GET jobs/people/{id}',
        'PATCH jobs/people/{id}',
        'DELETE jobs/people/{id}',
        'POST jobs/people/{id}/merge',
        'POST jobs/people/{id}/split',
        'GET jobs/people/{id}/cover',
        'GET jobs/{id}',
        'DELETE jobs/{id}',
        'GET jobs/{id}/events',
        'GET jobs/{id}/similar',
        'GET jobs/{id}/result',
        'GET jobs/{id}/transcript.vtt',
        'GET jobs/{id}/transcript.srt',
        'GET jobs/{id}/transcript.txt',
        'GET jobs/{id}/findings.csv',
        'GET jobs/{id}/dossier.html',
        'GET jobs/{id}/dossier.txt',
        'GET jobs/{id}/pictures/{name}',
        'GET jobs/{id}/medium',
        'POST jobs/{id}/cancel',
        'POST jobs/{id}/retry',
        'POST jobs/{id}/confirm',
        'GET jobs/schema',
        'GET jobs/openapi.json',
        'GET orchestrate',
        'GET orchestrate/alerts',
        'POST orchestrate',
        'POST terminate',
        'POST terminate/serverless/{instanceId}/{token}',
      ].toSorted(),
    );
  });

  it('has only schemas that compile, and references that resolve', () => {
    const schemas = [...schemasIn(document.paths), ...Object.values(document.components.schemas)];
    expect(schemas.length).toBeGreaterThan(30);
    const compile = schemaCompiler(document);
    for (const schema of schemas) expect(() => compile(schema)).not.toThrow();
  });

  it('has operation ids that are all different', () => {
    const ids = Object.values(document.paths).flatMap((methods) =>
      Object.values(methods).map(
        (operation) => (operation as unknown as { operationId: string }).operationId,
      ),
    );
    expect(new Set(ids).size).toBe(ids.length);
  });
});

describe('the schema of results', () => {
  it('is JSON Schema 2020-12, needs no token, and tells a result from something else', async () => {
    const { body, headers } = await system.api('GET', '/schema', { token: null });
    expect(headers['content-type']).toBe('application/schema+json');
    expect(body.$schema).toBe('https://json-schema.org/draft/2020-12/schema');
    const validate = new Ajv2020({ strict: true, validateFormats: false }).compile(body);
    const jobId = await system.uploadedJob();
    const { body: result } = await system.api('GET', `/${jobId}/result`);
    expect(validate(result), JSON.stringify(validate.errors)).toBe(true);
    expect(validate({ ...result, status: 'finished' })).toBe(false);
    expect(validate({ ...result, transcript: {} })).toBe(false);
  });
});

/** Everything under a key `schema`, however deep. */
function schemasIn(value: unknown): object[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) =>
    key === 'schema' ? [inner as object] : schemasIn(inner),
  );
}
