/**
 * Holds what goes to and fro between an adapter and its simulator against the provider's own OpenAPI
 * document: the adapter must ask for what the provider knows, and the simulator must not answer what
 * the provider never would. The documents are not part of this repository (../shared/specs); where
 * they are absent nothing is checked.
 */
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { parse } from 'yaml';

const specs = fileURLToPath(new URL('../../../shared/specs/', import.meta.url));

interface Schemed {
  schema?: object;
}
interface Parameter extends Schemed {
  name: string;
  in: string;
  required?: boolean;
}
interface Response {
  content?: Record<string, Schemed>;
}
interface Operation {
  parameters?: (Parameter | Reference)[];
  requestBody?: { content: Record<string, Schemed> } | Reference;
  responses: Record<string, Response | Reference>;
}
interface Reference {
  $ref: string;
}
interface Document {
  servers?: { url: string }[];
  paths: Record<string, Record<string, Operation>>;
}

function isReference(value: unknown): value is Reference {
  return value !== null && typeof value === 'object' && '$ref' in value;
}

/** One request and what was answered to it. */
export interface Exchange {
  method: string;
  url: URL;
  /** JSON as it was sent; null where there was none. */
  sent: string | null;
  status: number;
  contentType: string | null;
  received: string;
}

export interface OpenApi {
  /** What is wrong with it, in words; empty where it is as the document says. */
  faultsOf(exchange: Exchange): string[];
}

export interface Leniency {
  /** Query parameters that the document does not have and the provider does, by path. */
  undocumented?: Record<string, string[]>;
}

export function hasSpec(file: string): boolean {
  return existsSync(specs + file);
}

/** @param file a JSON or YAML document, OpenAPI 3, whose schemas are read as JSON Schema 2020-12. */
export function readOpenApi(file: string, { undocumented = {} }: Leniency = {}): OpenApi {
  const text = readFileSync(specs + file, 'utf8');
  const document = (file.endsWith('.json') ? JSON.parse(text) : parse(text)) as Document;
  /** What stands before the paths of the document, such as `/v1`. */
  const base = new URL(document.servers?.[0]?.url ?? 'https://host').pathname.replace(/\/$/, '');
  const ajv = new Ajv2020({ strict: false, allErrors: true, validateFormats: false });
  ajv.addSchema(document, 'api');

  const at = (pointer: string): unknown =>
    pointer
      .slice(2)
      .split('/')
      .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'))
      .reduce<unknown>((value, part) => (value as Record<string, unknown>)[part], document);
  const resolve = <T>(value: T | Reference): T => (isReference(value) ? (at(value.$ref) as T) : value);
  const pointer = (...parts: string[]) =>
    `api#/${parts.map((part) => encodeURIComponent(part.replaceAll('~', '~0').replaceAll('/', '~1'))).join('/')}`;
  const check = (what: string, $ref: string, value: unknown): string[] => {
    const validate = ajv.getSchema($ref) ?? ajv.compile({ $ref });
    if (validate(value)) return [];
    return (validate.errors ?? []).map((error) => `${what}${error.instancePath}: ${error.message}`);
  };

  function faultsOf({ method, url, sent, status, contentType, received }: Exchange): string[] {
    const call = `${method} ${url.pathname}`;
    const path = Object.keys(document.paths).find((template) =>
      new RegExp(`^${base}${template.replace(/\{[^}]+\}/g, '[^/]+')}$`).test(url.pathname),
    );
    const verb = method.toLowerCase();
    const operation = path === undefined ? undefined : document.paths[path]![verb];
    if (path === undefined || !operation) return [`${call} is not in the document`];
    const faults: string[] = [];

    const known = (operation.parameters ?? []).map((parameter) => resolve(parameter).name);
    for (const name of url.searchParams.keys()) {
      if (![...known, ...(undocumented[path] ?? [])].includes(name))
        faults.push(`${call}: no parameter ${name}`);
    }
    /** Where it stands in the document, by its reference where it is one. */
    const placeOf = (value: unknown, ...here: string[]) =>
      isReference(value) ? value.$ref.slice(2).split('/') : here;

    const asked = operation.requestBody;
    if (status < 400 && asked && resolve(asked).content['application/json']) {
      const place = placeOf(asked, 'paths', path, verb, 'requestBody');
      const $ref = pointer(...place, 'content', 'application/json', 'schema');
      faults.push(...check(`${call} body`, $ref, JSON.parse(sent ?? 'null')));
    }

    const key = `${status}` in operation.responses ? `${status}` : 'default';
    const named = operation.responses[key];
    if (!named) return [...faults, `${call}: ${status} is not in the document`];
    const content = resolve(named).content;
    if (!content) return received === '' ? faults : [...faults, `${call}: ${status} has no body`];
    const type = contentType?.split(';')[0] ?? '';
    if (!content[type]) return [...faults, `${call}: ${status} is not ${type}`];
    const place = placeOf(named, 'paths', path, verb, 'responses', key);
    const $ref = pointer(...place, 'content', type, 'schema');
    return [...faults, ...check(`${call} ${status}`, $ref, JSON.parse(received))];
  }

  return { faultsOf };
}

/** Notes every exchange that goes through `fetch` from now on, until it is taken back. */
export function listenToFetch(exchanges: Exchange[]): () => void {
  const { fetch } = globalThis;
  globalThis.fetch = async (input, init) => {
    const response = await fetch(input, init);
    exchanges.push({
      method: init?.method ?? 'GET',
      url: new URL(String(input)),
      sent: typeof init?.body === 'string' ? init.body : null,
      status: response.status,
      contentType: response.headers.get('content-type'),
      received: await response.clone().text(),
    });
    return response;
  };
  return () => {
    globalThis.fetch = fetch;
  };
}
