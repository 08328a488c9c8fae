/** Checks answers against the OpenAPI document that the function itself serves. */
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import { apiDocument } from '../../functions/core/openapi.ts';

interface Operation {
  responses: Record<string, { content?: Record<string, { schema?: object }> }>;
}

export interface ApiDocument {
  openapi: string;
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, object> };
}

export interface CheckedAnswer {
  status: number;
  headers: Record<string, string | string[]>;
  body: unknown;
}

/** @throws Error where an answer is not what the document says. */
export type CheckAnswer = (method: string, path: string, answer: CheckedAnswer) => void;

export async function openApiChecker(): Promise<CheckAnswer> {
  const document = (await apiDocument('http://127.0.0.1:8080')) as unknown as ApiDocument;
  const compile = schemaCompiler(document);

  return (method, path, { status, headers, body }) => {
    const where = `${method} ${path} → ${status}`;
    const operation = operationOf(document, method, path);
    // A path or method that does not exist has no operation to be found under.
    if (!operation && (status === 404 || status === 405)) return;
    const documented = operation?.responses[status];
    if (!documented) throw new Error(`${where}: not in the document`);
    const type = String(headers['content-type'] ?? '').split(';')[0]!;
    if (!documented.content) {
      if (type !== '') throw new Error(`${where}: has a body, the document says it has none`);
      return;
    }
    const media = documented.content[type];
    if (!media) throw new Error(`${where}: ${type} is not among ${Object.keys(documented.content)}`);
    if (!media.schema) return;
    const validate = compile(media.schema);
    if (!validate(body)) throw new Error(`${where}: ${JSON.stringify(validate.errors, null, 1)}`);
  };
}

/** Compiles schemas of the document, each once, so that references into its components resolve. */
export function schemaCompiler({ components }: ApiDocument): (schema: object) => ValidateFunction {
  const ajv = new Ajv2020({ strict: true, validateFormats: false });
  const linked = (value: object) =>
    JSON.parse(
      JSON.stringify(value).replaceAll('#/components/schemas/', 'https://components.invalid/#/$defs/'),
    );
  ajv.addSchema({ $id: 'https://components.invalid/', $defs: linked(components.schemas) });
  const compiled = new Map<object, ValidateFunction>();
  return (schema) => {
    const validate = compiled.get(schema) ?? ajv.compile(linked(schema));
    compiled.set(schema, validate);
    return validate;
  };
}

function operationOf({ paths }: ApiDocument, method: string, path: string): Operation | undefined {
  const fitting = Object.keys(paths).filter((template) => {
    const pattern = template.replaceAll('.', '\\.').replace(/\{\w+\}/g, '[^/]+');
    // The rest of a path is the only parameter with slashes in it.
    return new RegExp(
      `^${template.endsWith('/pictures/{name}') ? pattern.replace(/\[\^\/\]\+$/, '.+') : pattern}$`,
    ).test(path);
  });
  const literal = fitting.toSorted((a, b) => a.split('{').length - b.split('{').length)[0];
  return literal === undefined ? undefined : paths[literal]![method.toLowerCase()];
}
