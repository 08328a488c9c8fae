/**
 * /system/…: what faas-cli asks a gateway. Reading works as on faasd; what would change the set of
 * functions or secrets answers 501, because here they come from stack.yml and the secrets folder.
 */
import { readdir } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { z } from 'zod';
import { AimaError } from '../../../functions/core/errors.ts';
import { type Credentials, isAuthorized } from './basic-auth.ts';
import { type FunctionHost, type HostedFunction, NAMESPACE } from './function-host.ts';
import type { FunctionLogs } from './function-logs.ts';
import { sendLogs } from './log-stream.ts';
import { sendJson, sendText } from './plain-answers.ts';
import { CallerGone, readBody } from './request-body.ts';

export const SYSTEM_PREFIX = '/system/';

export interface SystemOptions {
  credentials: Credentials;
  secretsDir: string;
  version: string;
}

const MAX_BODY_BYTES = 64 * 1024;
const ScaleRequest = z.object({ replicas: z.int().nonnegative() });

export class SystemRoutes {
  readonly #host: FunctionHost;
  readonly #logs: FunctionLogs;
  readonly #options: SystemOptions;

  constructor(host: FunctionHost, logs: FunctionLogs, options: SystemOptions) {
    this.#host = host;
    this.#logs = logs;
    this.#options = options;
  }

  async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (!isAuthorized(request.headers.authorization, this.#options.credentials)) {
      const realm = { 'www-authenticate': 'Basic realm="Restricted"' };
      return sendText(response, 401, 'invalid credentials', realm);
    }
    const url = new URL(request.url!, 'http://gateway');
    const namespace = url.searchParams.get('namespace') ?? '';
    if (namespace !== '' && namespace !== NAMESPACE) return sendText(response, 400, 'namespace not valid');
    const [, , resource, name = ''] = url.pathname.split('/');
    const read = request.method === 'GET';

    if (resource === 'functions' && name === '') {
      return read ? this.#list(response) : sendText(response, 501, FUNCTIONS_ARE_FIXED);
    }
    if (resource === 'function' && read) return this.#describe(name, response);
    if (resource === 'scale-function' && request.method === 'POST')
      return this.#scale(name, request, response);
    if (resource === 'secrets' && name === '') {
      return read ? this.#secrets(response) : sendText(response, 501, SECRETS_ARE_FIXED);
    }
    if (resource === 'info' && read) return sendJson(response, infoOf(this.#options.version));
    if (resource === 'namespaces' && read) return sendJson(response, [NAMESPACE]);
    if (resource === 'logs' && read) {
      const asked = url.searchParams.get('name') ?? '';
      const hosted = this.#host.find(asked);
      if (hosted === undefined) return sendText(response, 404, `error finding function ${asked}`);
      return sendLogs(this.#logs, hosted.definition.name, url.searchParams, response);
    }
    return sendText(response, 404, '404 page not found');
  }

  #list(response: ServerResponse): void {
    sendJson(response, [...this.#host.functions.values()].map(statusOf));
  }

  #describe(name: string, response: ServerResponse): void {
    const hosted = this.#host.find(name);
    if (hosted === undefined) sendText(response, 404, '');
    else sendJson(response, statusOf(hosted));
  }

  /** One replica is all there is, on faasd and here: asking for more changes nothing, for none is refused. */
  async #scale(name: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
    let text: string;
    try {
      text = (await readBody(request, MAX_BODY_BYTES)).toString();
    } catch (thrown) {
      if (thrown instanceof AimaError) return sendText(response, thrown.row.httpStatus, thrown.detail);
      if (thrown instanceof CallerGone) return;
      throw thrown;
    }
    const parsed = ScaleRequest.safeParse(parseJson(text));
    if (!parsed.success) return sendText(response, 400, z.prettifyError(parsed.error));
    if (this.#host.find(name) === undefined) return sendText(response, 404, `service ${name} not found`);
    if (parsed.data.replicas === 0)
      return sendText(response, 400, 'replicas must > 0: nothing scales to zero here');
    return sendText(response, 200, '');
  }

  async #secrets(response: ServerResponse): Promise<void> {
    const entries = await readdir(this.#options.secretsDir, { withFileTypes: true });
    const names = entries.filter((entry) => entry.isFile()).map((entry) => entry.name);
    sendJson(
      response,
      names.sort().map((name) => ({ name, namespace: NAMESPACE })),
    );
  }
}

const FUNCTIONS_ARE_FIXED =
  'The functions of this gateway are those of stack.yml in its project: change that file and start again.';
const SECRETS_ARE_FIXED = 'The secrets of this gateway are files in its secrets folder: change them there.';

function statusOf({ definition, handler, invocationCount, createdAt }: HostedFunction): object {
  const replicas = handler === null ? 0 : 1;
  return {
    name: definition.name,
    image: definition.image,
    namespace: NAMESPACE,
    envProcess: '',
    envVars: definition.environment,
    labels: definition.labels,
    annotations: definition.annotations,
    secrets: definition.secrets,
    ...(definition.limits === undefined ? {} : { limits: definition.limits }),
    invocationCount,
    replicas,
    availableReplicas: replicas,
    createdAt: createdAt.toISOString(),
  };
}

function infoOf(release: string): object {
  const version = { release, sha: '', commit_message: '' };
  return {
    provider: { provider: 'aima-embedded', orchestration: 'in-process', version },
    version,
    arch: process.arch === 'x64' ? 'x86_64' : process.arch,
  };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
