import { XMLParser, XMLValidator } from 'fast-xml-parser';
import { z } from 'zod';
import { S3Error } from './errors.ts';

/** A finished piece of XML; plain strings are escaped, this is not. */
export interface Markup {
  readonly markup: string;
}
type Content = Markup | string | number | boolean | undefined | readonly Content[];

const NAMESPACE = 'http://s3.amazonaws.com/doc/2006-03-01/';

// Control characters are legal in S3 keys but not in XML 1.0; AWS writes them as character references too.
const escapeXml = (text: string): string =>
  // biome-ignore lint/suspicious/noControlCharactersInRegex: exactly these must be written as references
  text.replace(/[&<>"'\u0000-\u001f\u007f]/g, (character) => `&#${character.charCodeAt(0)};`);

function render(content: Content): string {
  if (content === undefined) return '';
  if (typeof content === 'object') {
    return 'markup' in content ? content.markup : content.map(render).join('');
  }
  return escapeXml(String(content));
}

/** An element with text or child elements; `undefined` children are left out. */
export function tag(name: string, ...content: Content[]): Markup {
  return { markup: `<${name}>${render(content)}</${name}>` };
}

/** A whole document whose root element is in the S3 namespace. */
export function xmlDocument(root: string, ...content: Content[]): string {
  return `<?xml version="1.0" encoding="UTF-8"?>\n<${root} xmlns="${NAMESPACE}">${render(content)}</${root}>`;
}

const parser = new XMLParser({
  ignoreAttributes: true,
  ignoreDeclaration: true,
  parseTagValue: false,
  trimValues: false, // a key may begin or end with a space
  htmlEntities: true, // Go clients write `&#34;` around ETags
});

/** Drops the white space between elements, which the parser reports as `#text`. */
function withoutLayout(node: unknown): unknown {
  if (Array.isArray(node)) return node.map(withoutLayout);
  if (typeof node !== 'object' || node === null) return node;
  const children = Object.entries(node).filter(([name]) => name !== '#text');
  return Object.fromEntries(children.map(([name, child]) => [name, withoutLayout(child)]));
}

/**
 * Parses a request document against a schema. Document type declarations are refused, so entities cannot expand.
 * @throws {S3Error} MalformedXML
 */
export function parseXml<T>(text: string, schema: z.ZodType<T>): T {
  if (/<!(DOCTYPE|ENTITY)/i.test(text) || XMLValidator.validate(text) !== true)
    throw new S3Error('MalformedXML');
  const parsed = schema.safeParse(withoutLayout(parser.parse(text)));
  if (!parsed.success) throw new S3Error('MalformedXML', z.prettifyError(parsed.error));
  return parsed.data;
}

/** A repeatable element: absent, once or many times, always read as an array. */
export function repeated<T extends z.ZodType>(item: T) {
  return z.preprocess(
    (value) => (value === undefined || value === '' ? [] : Array.isArray(value) ? value : [value]),
    z.array(item),
  );
}

/** An element that holds other elements or nothing: the parser reads an empty element as ''. */
export function container<T extends z.ZodType>(content: T) {
  return z.preprocess((value) => (value === '' ? {} : value), content);
}
