/**
 * The OpenAPI document of the whole installation, made from the definitions that serve it.
 *
 * The functions are loaded when somebody first asks for it: `jobs` serves the document and is in it,
 * and no function should need the others' code to start.
 */
import { openApiDocument } from './http/openapi.ts';

const description =
  'Media go in, a GPU is rented for as long as their analysis takes, results come out. ' +
  'Every request needs the header `Authorization: Bearer <token>`; every error is an RFC 9457 problem.';

let made: Promise<Record<string, unknown>> | undefined;

/** @param gatewayUrl where the functions are called, such as http://127.0.0.1:8080. */
export function apiDocument(gatewayUrl: string): Promise<Record<string, unknown>> {
  made ??= describeFunctions(gatewayUrl).catch((error: unknown) => {
    made = undefined;
    throw error;
  });
  return made;
}

async function describeFunctions(gatewayUrl: string): Promise<Record<string, unknown>> {
  const handlers = await Promise.all([
    import('../submit-job/handler.ts'),
    import('../jobs/handler.ts'),
    import('../orchestrate/handler.ts'),
    import('../terminate/handler.ts'),
  ]);
  return openApiDocument({
    title: 'AIMA',
    version: '1',
    description,
    servers: [gatewayUrl],
    functions: handlers.map((handler) => handler.default.definition),
  });
}
