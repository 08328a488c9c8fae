/*
 * Stands in for index.js of OpenFaaS's node22 template, which is pulled by faas-cli when images are built:
 * the same contract towards ./function/handler, written from how it was seen to behave, without its packages.
 * Its traps are here too: an error that is thrown is answered with 200 unless the handler set a status, a
 * body of a type that it does not read arrives as {}, and bad JSON is answered in HTML.
 */
'use strict';
const http = require('node:http');
const handler = require('./function/handler');

const units = { b: 1, kb: 1024, mb: 1024 ** 2 };
const UNSET = '100kb';

function bytesOf(text) {
  const [, count, unit = 'b'] = /^([\d.]+)\s*(b|kb|mb)?$/i.exec(text);
  return Number(count) * units[unit.toLowerCase()];
}
const raw = process.env.RAW_BODY === 'true';
const rawLimit = bytesOf(process.env.MAX_RAW_SIZE || UNSET);
const jsonLimit = bytesOf(process.env.MAX_JSON_SIZE || UNSET);

class Refused extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

/** The body as the handler gets it. */
async function bodyOf(request, type) {
  const isText = type.startsWith('text/');
  const isJson = type === 'application/json';
  const isForm = type === 'application/x-www-form-urlencoded';
  const hasBody = request.headers['transfer-encoding'] !== undefined || request.headers['content-length'] > 0;
  if (!hasBody) return undefined;
  if (!raw && !isText && !isJson && !isForm) {
    request.resume();
    return {};
  }
  const limit = raw ? rawLimit : isJson ? jsonLimit : bytesOf(UNSET);
  const chunks = [];
  let length = 0;
  for await (const chunk of request) {
    length += chunk.length;
    if (length > limit) throw new Refused(413, 'request entity too large');
    chunks.push(chunk);
  }
  const bytes = Buffer.concat(chunks);
  if (raw) return bytes;
  if (isText) return bytes.toString('utf8');
  if (isForm) return Object.fromEntries(new URLSearchParams(bytes.toString('utf8')));
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch (error) {
    throw new Refused(400, error.stack);
  }
}

function queryOf(search) {
  const query = Object.create(null);
  for (const [name, value] of new URLSearchParams(search)) {
    query[name] = name in query ? [query[name], value].flat() : value;
  }
  return query;
}

class Context {
  #settle;
  #isSettled = false;
  #status = 200;
  #headers = {};
  constructor(settle) {
    this.#settle = settle;
  }
  get isSettled() {
    return this.#isSettled;
  }
  status(code) {
    if (!code) return this.#status;
    this.#status = code;
    return this;
  }
  headers(values) {
    if (!values) return this.#headers;
    this.#headers = values;
    return this;
  }
  succeed(value) {
    this.#isSettled = true;
    this.#settle(null, value);
  }
  fail(error) {
    if (this.#status === 200) this.#status = 500;
    this.#isSettled = true;
    this.#settle(error);
  }
}

function send(response, status, headers, value) {
  if (response.headersSent) return console.error('the handler answered twice');
  const isBytes = value instanceof Uint8Array;
  const text = typeof value === 'object' && value !== null && !isBytes ? JSON.stringify(value) : value;
  const body = isBytes ? value : Buffer.from(text === undefined || text === null ? '' : String(text));
  for (const [name, one] of Object.entries(headers)) response.setHeader(name, one);
  if (body.length > 0 && !response.hasHeader('content-type'))
    response.setHeader('content-type', isBytes ? 'application/octet-stream' : 'text/html; charset=utf-8');
  response.writeHead(status, status === 204 || status === 304 ? {} : { 'content-length': body.length });
  response.end(body);
}

async function serve(request, response) {
  request.headers['content-type'] ??= 'text/plain';
  const { pathname, search } = new URL(`http://function${request.url}`);
  const type = request.headers['content-type'].split(';')[0].trim().toLowerCase();
  const event = {
    body: await bodyOf(request, type),
    headers: request.headers,
    method: request.method,
    query: queryOf(search),
    path: pathname,
  };
  const settle = (error, value) => {
    if (!error) return send(response, context.status(), context.headers(), value);
    console.error(error);
    send(response, context.status(), {}, error.toString());
  };
  const context = new Context(settle);
  try {
    const value = await handler(event, context, settle);
    if (!context.isSettled) context.succeed(value);
  } catch (error) {
    settle(error);
  }
}

const server = http.createServer((request, response) => {
  serve(request, response).catch((error) => {
    send(response, error.status ?? 500, { 'content-type': 'text/html' }, `<pre>${error.message}</pre>`);
  });
});
server.listen(process.env.http_port || 3000, () => console.log(`listening on ${server.address().port}`));
