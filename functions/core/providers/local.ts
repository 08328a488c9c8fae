/**
 * `local`: the worker as a child process of this machine, for nothing. Its id is its label, which
 * stands in its command line, so that the process table is the provider's list: whoever started
 * a worker and was killed in the same moment has lost nothing.
 */
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, openSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Config } from '../config.ts';
import { labelPrefix } from '../instances/label.ts';
import { listProcesses } from './processes.ts';
import {
  type CreateOutcome,
  type CreateRequest,
  type Machine,
  type Offer,
  type Provider,
  ProviderError,
} from './provider.ts';

/** From source, and from `dist/services` within a checkout. */
const program = fileURLToPath(
  new URL(
    import.meta.url.endsWith('.ts') ? '../../../gpu-worker/main.ts' : '../../gpu-worker/main.ts',
    import.meta.url,
  ),
);
const flag = '--label=';

/** How long a worker may take to leave by itself before it is killed. */
const graceMs = 1500;

interface LocalWorker {
  pid: number;
  label: string;
}

/** Every worker process of the installation with this prefix, whoever started it. */
async function localWorkers(labelPrefix: string): Promise<LocalWorker[]> {
  return (await listProcesses()).flatMap(({ pid, args }) => {
    const label = args.find((arg) => arg.startsWith(flag))?.slice(flag.length);
    return label?.startsWith(labelPrefix) && args.includes(program) ? [{ pid, label }] : [];
  });
}

/** Lets a worker leave by itself, which gives its jobs back at once, and kills it when it does not. */
async function endWorker({ pid, label }: LocalWorker): Promise<void> {
  signal(pid, 'SIGTERM');
  for (let waitedMs = 0; waitedMs < graceMs; waitedMs += 25) {
    await sleep(25);
    if (!(await localWorkers(label)).length) return;
  }
  signal(pid, 'SIGKILL');
}

/** For when the whole system stops: nobody would be there to give them work. */
export async function endLocalWorkers(labelPrefix: string): Promise<void> {
  await Promise.all((await localWorkers(labelPrefix)).map(endWorker));
}

export function openLocal(config: Config): Provider {
  const options = {
    dataDir: config.AIMA_DATA_DIR,
    modelsDir: config.AIMA_MODELS_DIR,
    modelTier: config.AIMA_MODEL_TIER,
    slots: config.AIMA_LOCAL_SLOTS,
    labelPrefix: labelPrefix(config.secret('owner-id')),
  };
  const threads = Math.max(1, Math.floor(availableParallelism() / options.slots));

  const find = async (label: string) => (await localWorkers(label)).at(0);

  return {
    name: 'local',
    deadMansSwitch: 'free',
    isRemote: false,
    isListed: true,
    createTimeoutMs: 10_000,
    // The process table knows a child as soon as there is one.
    listLagMs: 0,

    async offers(): Promise<Offer[]> {
      if (!existsSync(program)) {
        throw new ProviderError(
          'refused',
          `The worker is not where the functions run (${program} is not there): name other providers in AIMA_PROVIDERS.`,
        );
      }
      const available = Math.max(0, options.slots - (await localWorkers(options.labelPrefix)).length);
      return [
        {
          provider: 'local',
          offerId: 'process',
          host: null,
          gpu: null,
          vramMb: 0,
          cuda: null,
          region: null,
          reliability: null,
          interruptible: false,
          priceMicrodollarsPerHour: 0,
          trafficMicrodollarsPerGb: { in: 0, out: 0 },
          downloadMbps: null,
          billedFrom: 'request',
          available,
          capacity: options.slots,
          bootMs: 1_500,
          speed: 1,
        },
      ];
    },

    async create({ label, environment }: CreateRequest): Promise<CreateOutcome> {
      if (!(await find(label))) {
        const logs = join(resolve(options.dataDir), 'logs', 'workers');
        mkdirSync(logs, { recursive: true });
        const log = openSync(join(logs, `${label}.log`), 'a', 0o600);
        const child = spawn(process.execPath, [program, `${flag}${label}`], {
          // A worker outlives the function that started it.
          detached: true,
          stdio: ['ignore', log, log],
          env: {
            PATH: process.env.PATH,
            HOME: process.env.HOME,
            AIMA_MODELS_DIR: options.modelsDir,
            AIMA_MODEL_TIER: options.modelTier,
            AIMA_THREADS: String(threads),
            ...environment,
          },
        });
        await new Promise<void>((done, failed) => {
          child.once('spawn', done);
          child.once('error', failed);
        });
        child.unref();
      }
      return { kind: 'created', providerInstanceId: label, priceMicrodollarsPerHour: 0 };
    },

    async list(): Promise<Machine[]> {
      return (await localWorkers(options.labelPrefix)).map(({ label }) => ({
        providerInstanceId: label,
        label,
        status: 'running',
      }));
    },

    async read(label: string): Promise<Machine | null> {
      return (await find(label)) ? { providerInstanceId: label, label, status: 'running' } : null;
    },

    async terminate(label: string): Promise<void> {
      const found = await find(label);
      if (found) await endWorker(found);
    },

    costs: async () => [],
  };
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
