/**
 * A machine with docker and a GPU, as the commands that AIMA runs on it see it: in the words of
 * Docker 28.2, tried with its real command line against an engine that answered so.
 */
import { createHash } from 'node:crypto';
import type { Call, Fault } from './faults.ts';
import type { Market, MarketMachine } from './market.ts';

export interface Outcome {
  code: number;
  stdout?: string;
  stderr?: string;
}

export interface DockerMachine {
  /** Which faults a command gets; null for what has none. */
  callOf(words: string[]): Call | null;
  run(words: string[], variables: ReadonlyMap<string, string>, fault: Fault | null): Outcome;
  hasImage(): boolean;
}

export interface DockerMachineOptions {
  market: Market;
  gpu: { name: string; vramMb: number };
  image: string;
  hasImage: boolean;
  /** How the account calls the machine that a container is. */
  idOf(label: string): string;
}

const calls: [start: string, call: Call][] = [
  ['nvidia-smi ', 'offers'],
  ['docker ps -a ', 'list'],
  ['docker container inspect ', 'read'],
  ['docker run -d ', 'create'],
  ['docker rm -f ', 'terminate'],
];

export function dockerMachine(options: DockerMachineOptions): DockerMachine {
  const { market, gpu, image } = options;
  let hasImage = options.hasImage;
  /** Made, and could not be started. */
  const created = new Set<MarketMachine>();
  const isUp = ({ phase }: MarketMachine) => phase !== 'exited' && phase !== 'preempted';
  const fail = (said: string, code = 1): Outcome => ({ code, stderr: `${said}\n` });
  const print = (lines: string[]): Outcome => ({
    code: 0,
    stdout: lines.map((line) => `${line}\n`).join(''),
  });

  function run(words: string[], variables: ReadonlyMap<string, string>, fault: Fault | null): Outcome {
    const line = words.join(' ');
    const name = words.at(-1)!;
    const found = market.find(options.idOf(name));
    const container = found?.endedAtMs === null ? found : null;
    const noSuch = `Error response from daemon: No such container: ${name}`;
    if (line === 'nvidia-smi --query-gpu=name,memory.total --format=csv,noheader,nounits')
      return print([`${gpu.name}, ${gpu.vramMb}`]);
    if (line === 'docker ps --format {{.Names}}')
      return print(
        market
          .alive()
          .filter((one) => stateOf(one) === 'running')
          .map((one) => one.label),
      );
    if (line.startsWith('docker ps -a --no-trunc --format {"name":'))
      return print(market.listed(fault).map((one) => JSON.stringify(listed(one))));
    if (line === `docker container inspect --format {{json .State}} ${name}`)
      return container ? print([JSON.stringify(inspected(container))]) : fail(noSuch);
    if (line === `docker image inspect --format {{.Id}} ${image}`)
      return hasImage ? print([`sha256:${digest(image)}`]) : fail(`Error: No such image: ${image}`);
    if (line === `nohup docker pull -q ${image} >/dev/null 2>&1 &`) {
      hasImage = true;
      return { code: 0 };
    }
    if (line === `docker rm -f -v ${name}`) {
      if (!container || fault?.kind === 'denied') return { ...fail(noSuch), code: 0 };
      if (fault?.kind !== 'ignored') market.end(container.id);
      return print([name]);
    }
    if (line.startsWith('docker run -d ')) return runContainer(words, variables, fault);
    return fail(`sh: 1: ${words[0]}: not found`, 127);
  }

  function runContainer(
    words: string[],
    variables: ReadonlyMap<string, string>,
    fault: Fault | null,
  ): Outcome {
    const valuesOf = (flag: string) => words.filter((_, at) => words[at - 1] === flag);
    const [name] = valuesOf('--name');
    if (words.at(-1) !== image)
      return fail(`docker: Error response from daemon: No such image: ${words.at(-1)}`, 125);
    if (market.alive().some((one) => one.label === name))
      return fail(
        `docker: Error response from daemon: Conflict. The container name "/${name}" is already in use by container "${digest(name!)}".`,
        125,
      );
    const environment = Object.fromEntries(valuesOf('-e').map((key) => [key, variables.get(key)!]));
    const container = market.rent(
      { offerId: market.offers[0]!.id, label: name!, environment, request: words },
      fault,
    );
    if (!container) return fail('docker: Error response from daemon: no resources left', 125);
    container.id = options.idOf(name!);
    if (fault?.kind !== 'failed_yet_made' && container.ailment?.kind !== 'cannot_start')
      return print([digest(name!)]);
    created.add(container);
    return fail(
      'docker: Error response from daemon: failed to create task for container: nvidia-container-cli: requirement error: unsatisfied condition: cuda>=12.4',
      125,
    );
  }

  /** With 137 where it was killed, as it is when its machine goes down. */
  const exitCode = ({ phase }: MarketMachine) => (phase === 'preempted' ? 137 : 0);
  const stateOf = (one: MarketMachine) => (created.has(one) ? 'created' : isUp(one) ? 'running' : 'exited');
  const inspected = (one: MarketMachine) => ({
    Status: stateOf(one),
    ExitCode: isUp(one) ? 0 : exitCode(one),
    OOMKilled: false,
    Error: '',
  });
  const listed = (one: MarketMachine) => ({
    name: one.label,
    state: stateOf(one),
    status: isUp(one) ? 'Up 2 minutes' : `Exited (${exitCode(one)}) 5 seconds ago`,
  });

  return {
    callOf: (words) => calls.find(([start]) => `${words.join(' ')} `.startsWith(start))?.[1] ?? null,
    run,
    hasImage: () => hasImage,
  };
}

/** What docker says where an HTTP API would have answered so. */
export function inDockersWords({ status, body }: Extract<Fault, { kind: 'answer' }>): Outcome {
  if (status < 300) return { code: 0, stdout: body };
  const stderr: string | undefined = {
    401: 'permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock',
    403: 'permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock',
    410: 'Error response from daemon: client version 1.22 is too old. Minimum supported API version is 1.24',
    429: 'Error response from daemon: toomanyrequests: You have reached your rate limit.',
    500: 'error during connect: Get "http://%2Fvar%2Frun%2Fdocker.sock/v1.50/": EOF',
  }[status >= 500 ? 500 : status];
  return { code: status === 404 ? 127 : 1, stderr: `${stderr ?? body}\n` };
}

/** 64 hexadecimal digits, as ids of containers and images are. */
function digest(name: string): string {
  return createHash('sha256').update(name).digest('hex');
}
