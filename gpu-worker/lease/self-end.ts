/**
 * How a machine ends itself when its worker has ended, with what the provider put into the container
 * for that: credentials good for this machine alone, never a key of the owner's.
 *
 * RunPod starts a container again whose program exited, and bills on; on Vast the rent goes on too.
 * There the program must not exit: it asks, by every known way in turn, until it is killed. Elsewhere
 * exiting ends it: SaladCloud and RunPod Serverless bill by the running container, Shadeform deletes
 * the machine by itself at the lease's deadline, own machines and this one cost nothing.
 * Facts: providers.md 1.5, 3.5, 4.1.
 */
import { execFile } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import packageJson from '../../package.json' with { type: 'json' };

type Environment = Readonly<Record<string, string | undefined>>;

interface Way {
  name: string;
  /** Resolves when the provider has heard it. @throws with what it said, or why it could not be asked. */
  ask(): Promise<void>;
}

export interface EndOptions {
  log: (line: string) => void;
  /** After being heard, until the next way is tried: RunPod was seen to need 2 s. */
  heardPauseMs?: number;
  /** After a round in which nothing helped; doubled each time, up to a minute. */
  firstPauseMs?: number;
}

const longestPauseMs = 60_000;
const answerTimeoutMs = 15_000;

/** Variables that hold keys: what decodes strangers' media need not have them. */
export const keyVariables = ['RUNPOD_API_KEY', 'CONTAINER_API_KEY'];

/** Ends this machine. Returns only where exiting does it; elsewhere it goes on until this process is killed. */
export async function endMachine(env: Environment, options: EndOptions): Promise<void> {
  const { log, heardPauseMs = 10_000, firstPauseMs = 2000 } = options;
  const ways = waysToEnd(env);
  for (let pauseMs = firstPauseMs; ways.length > 0; pauseMs = Math.min(2 * pauseMs, longestPauseMs)) {
    for (const { name, ask } of ways) {
      try {
        await ask();
        log(`ending this machine by ${name}: heard`);
        await sleep(heardPauseMs);
      } catch (error) {
        log(`ending this machine by ${name}: ${(error as Error).message}`);
      }
    }
    await sleep(pauseMs);
  }
}

/** By every way that this provider has, best first; none: exiting ends it. */
function waysToEnd(env: Environment): Way[] {
  switch (env.AIMA_PROVIDER) {
    case 'runpod-pods':
      return [
        { name: 'RunPod REST', ask: () => deleteAt(env, '/v2/pods/', 'RUNPOD_POD_ID', '', 'RUNPOD_API_KEY') },
        { name: 'runpodctl', ask: () => askRunpodctl(env) },
        { name: 'RunPod GraphQL', ask: () => askGraphql(env) },
      ];
    case 'vast':
      return [
        {
          name: 'Vast REST',
          ask: () => deleteAt(env, '/api/v0/instances/', 'CONTAINER_ID', '/', 'CONTAINER_API_KEY'),
        },
      ];
    default:
      return [];
  }
}

async function deleteAt(
  env: Environment,
  path: string,
  idVariable: string,
  tail: string,
  keyVariable: string,
): Promise<void> {
  const id = encodeURIComponent(need(env, idVariable));
  await send(env, `${path}${id}${tail}`, { method: 'DELETE' }, need(env, keyVariable));
}

async function askRunpodctl(env: Environment): Promise<void> {
  await promisify(execFile)('runpodctl', ['remove', 'pod', need(env, 'RUNPOD_POD_ID')], {
    timeout: answerTimeoutMs,
    env,
  }).catch((error: NodeJS.ErrnoException & { stderr?: string }) => {
    throw new Error(error.code === 'ENOENT' ? 'there is no such program' : excerpt(error.stderr ?? ''));
  });
}

async function askGraphql(env: Environment): Promise<void> {
  const query = 'mutation End($podId: String!) { podTerminate(input: { podId: $podId }) }';
  const body = JSON.stringify({ query, variables: { podId: need(env, 'RUNPOD_POD_ID') } });
  const init = { method: 'POST', body, headers: { 'content-type': 'application/json' } };
  const said = await send(env, '/graphql', init, need(env, 'RUNPOD_API_KEY'));
  // Errors come with 200 there.
  if ((JSON.parse(said) as { errors?: unknown[] }).errors?.length) throw new Error(excerpt(said));
}

async function send(
  env: Environment,
  path: string,
  init: { method: string; body?: string; headers?: Record<string, string> },
  key: string,
): Promise<string> {
  const response = await fetch(need(env, 'AIMA_PROVIDER_URL').replace(/\/+$/, '') + path, {
    ...init,
    headers: {
      ...init.headers,
      authorization: `Bearer ${key}`,
      // RunPod's edge answers 403 to requests without a real one (facts: providers.md, 1.1).
      'user-agent': `${packageJson.name}/${packageJson.version}`,
    },
    redirect: 'error',
    signal: AbortSignal.timeout(answerTimeoutMs),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`HTTP ${response.status} ${excerpt(text)}`);
  return text;
}

function need(env: Environment, name: string): string {
  const value = env[name];
  if (!value) throw new Error(`${name} is not set`);
  return value;
}

function excerpt(text: string): string {
  return text.replace(/\s+/g, ' ').trim().slice(0, 200);
}
