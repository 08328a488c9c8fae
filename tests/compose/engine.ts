/** Starts services as compose does: each when what it depends on is as its condition says. */
import type { ChildProcess } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ComposeFile, ComposeService } from './compose-file.ts';
import { type Place, runIn } from './container.ts';

export interface Engine {
  /** Resolves when all services have started, and those that others wait for are healthy or have ended well. */
  up(): Promise<void>;
  /** What a service has printed so far, each `up` after the other. */
  output(name: string): string;
  /** SIGTERM in the reverse order of the start; resolves when all are gone. */
  down(): Promise<void>;
}

/** So that a service that never becomes healthy is named, with what it printed. */
const MOST_TRIES = 300;

/** Where a service begins that says nothing: what its image does. */
export type ImageCommand = (service: ComposeService) => string[];

export function openEngine(
  file: ComposeFile,
  place: Place,
  imageCommands: Readonly<Record<string, ImageCommand>>,
): Engine {
  const outputs = new Map<string, string>();
  const running = new Map<string, ChildProcess>();
  const once = new Set(
    Object.values(file.services).flatMap(({ depends_on }) =>
      Object.entries(depends_on).flatMap(([name, { condition }]) =>
        condition === 'service_completed_successfully' ? [name] : [],
      ),
    ),
  );

  function say(name: string, text: string): void {
    outputs.set(name, (outputs.get(name) ?? '') + text);
  }

  async function start(name: string, started: Map<string, Promise<void>>): Promise<void> {
    const service = file.services[name]!;
    for (const [needed, { condition }] of Object.entries(service.depends_on)) {
      await startOnce(needed, started);
      if (condition === 'service_healthy') await healthy(needed);
    }
    const command = imageCommands[name]?.(service) ?? [...(service.entrypoint ?? []), ...service.command];
    const child = runIn(place, name, service, command);
    for (const stream of [child.stdout!, child.stderr!])
      stream.setEncoding('utf8').on('data', (text: string) => say(name, text));
    if (!once.has(name)) {
      running.set(name, child);
      child.once('close', () => running.delete(name));
      return;
    }
    const code = await new Promise((resolve) => child.once('close', resolve));
    if (code !== 0) throw new Error(`${name} ended with ${code}:\n${outputs.get(name)}`);
  }

  function startOnce(name: string, started: Map<string, Promise<void>>): Promise<void> {
    let starting = started.get(name);
    if (starting === undefined) {
      starting = running.has(name) ? Promise.resolve() : start(name, started);
      started.set(name, starting);
    }
    return starting;
  }

  async function healthy(name: string): Promise<void> {
    const service = file.services[name]!;
    const test = service.healthcheck?.test ?? HEALTH_OF_IMAGE;
    for (let tries = 0; ; tries++) {
      if (!running.has(name)) throw new Error(`${name} ended:\n${outputs.get(name)}`);
      const check = runIn(place, `${name}-health`, service, test.slice(1));
      const code = await new Promise((resolve) => check.once('close', resolve));
      if (code === 0) return;
      if (tries === MOST_TRIES) throw new Error(`${name} does not become healthy:\n${outputs.get(name)}`);
      await sleep(200);
    }
  }

  return {
    async up() {
      const started = new Map<string, Promise<void>>();
      await Promise.all(Object.keys(file.services).map((name) => startOnce(name, started)));
      await Promise.all(
        [...running.keys()].filter((name) => !file.services[name]!.healthcheck?.disable).map(healthy),
      );
    },
    output: (name) => outputs.get(name) ?? '',
    async down() {
      for (const child of [...running.values()].toReversed()) {
        const gone = new Promise((resolve) => child.once('close', resolve));
        child.kill('SIGTERM');
        await gone;
      }
    },
  };
}

/** HEALTHCHECK of infra/compose/Dockerfile. */
const HEALTH_OF_IMAGE = [
  'CMD',
  'node',
  '-e',
  "fetch('http://127.0.0.1:8080/healthz').then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))",
];
