/**
 * Docker's command line on a host, one script each. What its engine and its errors say was tried
 * with Docker 28.2; where another version is known to differ it is said.
 */
import { z } from 'zod';
import { type Machine, ProviderError } from '../provider.ts';
import type { Ended, Run } from './connection.ts';
import type { SshHost } from './hosts.ts';

export interface ContainerRequest {
  label: string;
  image: string;
  environment: Record<string, string>;
}

const State = z.enum(['created', 'running', 'paused', 'restarting', 'removing', 'exited', 'dead']);
const Listed = z.object({ name: z.string().min(1), state: State, status: z.string() });
const Inspected = z.object({ Status: State, ExitCode: z.number(), Error: z.string() });

/** A container without the host it is on. */
export type Container = Omit<Machine, 'providerInstanceId'>;

/** All, with what has ended. */
export async function listContainers(host: SshHost, run: Run): Promise<Container[]> {
  // Asked for as plain `{{json .}}`, docker would measure the size of each container's files.
  const format = '{"name":{{json .Names}},"state":{{json .State}},"status":{{json .Status}}}';
  const { stdout } = succeeded(
    host,
    await run(command('docker', 'ps', '-a', '--no-trunc', '--format', format)),
  );
  return lines(stdout).map((line) => {
    const { name, state, status } = parse(host, Listed, line);
    // A container that others link to has names with a slash too.
    const label = name.split(',').find((one) => !one.includes('/')) ?? name;
    return { label, status: statusOf(state), detail: status };
  });
}

/** The names of those that run. */
export async function runningContainers(host: SshHost, run: Run): Promise<string[]> {
  const { stdout } = succeeded(host, await run(command('docker', 'ps', '--format', '{{.Names}}')));
  return lines(stdout);
}

/** Null where the engine itself says that there is no container of this name. */
export async function readContainer(host: SshHost, run: Run, label: string): Promise<Container | null> {
  const ended = await run(command('docker', 'container', 'inspect', '--format', '{{json .State}}', label));
  if (isNoSuch(ended, label)) return null;
  const state = parse(host, Inspected, succeeded(host, ended).stdout);
  return {
    label,
    status: statusOf(state.Status),
    detail: `${state.Status}, exit code ${state.ExitCode}${state.Error && `: ${state.Error}`}`,
  };
}

/** @returns how docker ended; a container may be there however that was. */
export function runContainer(run: Run, { label, image, environment }: ContainerRequest): Promise<Ended> {
  // `-e NAME` takes the value from docker's own environment, and so any value: an --env-file can hold
  // no line break, trims, and must be readable somewhere.
  const names = Object.keys(environment);
  return run(
    [
      ...names.map((name) => command('export', `${name}=${environment[name]}`)),
      command(
        ...['docker', 'run', '-d', '--name', label, '--gpus', 'all', '--restart', 'no', '--pull', 'never'],
        ...names.flatMap((name) => ['-e', name]),
        image,
      ),
    ].join('\n'),
  );
}

/** With the volumes that it alone uses. Harmless where there is none. */
export async function removeContainer(host: SshHost, run: Run, label: string): Promise<void> {
  const ended = await run(command('docker', 'rm', '-f', '-v', label));
  // Docker before 23 fails where there is nothing to remove.
  if (!isNoSuch(ended, label) && !/is already in progress/.test(ended.stderr)) succeeded(host, ended);
}

export async function hasImage(host: SshHost, run: Run, image: string): Promise<boolean> {
  const ended = await run(command('docker', 'image', 'inspect', '--format', '{{.Id}}', image));
  if (ended.code !== 0 && /no such image/i.test(ended.stderr)) return false;
  succeeded(host, ended);
  return true;
}

/** Goes on when the connection ends: gigabytes take longer than a function may. */
export async function startPull(host: SshHost, run: Run, image: string): Promise<void> {
  succeeded(host, await run(`${command('nohup', 'docker', 'pull', '-q', image)} >/dev/null 2>&1 &`));
}

/** The first GPU that the driver lists. @throws ProviderError `refused` where the host has none. */
export async function readGpu(host: SshHost, run: Run): Promise<{ name: string; vramMb: number }> {
  const query = ['--query-gpu=name,memory.total', '--format=csv,noheader,nounits'];
  const { stdout } = succeeded(host, await run(command('nvidia-smi', ...query)));
  const match = /^(.+), (\d+)$/.exec(lines(stdout)[0] ?? '');
  if (!match) throw new ProviderError('unreadable', `${host.name}: nvidia-smi shows no GPU.`);
  return { name: match[1]!, vramMb: Number(match[2]) };
}

/** What failed, as an error: by the words of docker, nvidia-smi and the shell, which are all there is. */
export function failureOf(host: SshHost, { code, stderr }: Ended): ProviderError {
  const said = stderr.replace(/\s+/g, ' ').trim().slice(0, 300);
  const message = `${host.name}: ${said || 'failed without a word'} (exit code ${code})`;
  if (/permission denied/i.test(said)) return new ProviderError('unauthorized', message);
  if (/toomanyrequests/.test(said)) return new ProviderError('rate_limited', message);
  const isAnswer = code === 127 || /Error response from daemon|No devices were found/.test(said);
  return new ProviderError(isAnswer ? 'refused' : 'unavailable', message);
}

function succeeded(host: SshHost, ended: Ended): Ended {
  if (ended.code !== 0) throw failureOf(host, ended);
  return ended;
}

function isNoSuch({ code, stderr }: Ended, label: string): boolean {
  return code !== 0 && stderr.toLowerCase().includes(`no such container: ${label.toLowerCase()}`);
}

/** What has exited, with whatever code, does not come up again; it stays, with its log, until it is removed. */
function statusOf(state: z.infer<typeof State>): Machine['status'] {
  if (state === 'created') return 'starting';
  if (state === 'removing') return 'ending';
  return state === 'exited' || state === 'dead' ? 'failed' : 'running';
}

function parse<T>(host: SshHost, schema: z.ZodType<T>, text: string): T {
  try {
    return schema.parse(JSON.parse(text));
  } catch (cause) {
    throw new ProviderError('unreadable', `${host.name}: docker answered in an unknown shape.`, { cause });
  }
}

function lines(text: string): string[] {
  return text.split('\n').filter((line) => line.trim() !== '');
}

/** One command for `sh`, each word as it is. */
function command(...words: string[]): string {
  return words.map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(' ');
}
