/**
 * What runs in a simulated machine when hundreds of them are needed: the worker's real protocol with
 * Postgres (gpu-worker/lease/server.ts, the login of its own lease), on the market's clock, without
 * the analysis. Its results are known beforehand, so that a lost or doubled one shows. It can have
 * every ailment of the fault list, and never ends a machine by other means than a provider gives it.
 */
import { LeaseOver, openServer, type Server, Superseded } from '../../gpu-worker/lease/server.ts';
import type { MarketMachine, StartContainer } from '../providers/simulator/market.ts';

export const partsOfAJob = 4;
export const partMs = 15_000;

/** Work on one part, which is also how often it looks for its next job. */
const lookMs = 5_000;
/** Where time is measured, nothing but the work takes any. */
const momentMs = 1;
const heartbeatMs = 10_000;
const lostContactMs = 45_000;
const idleMs = 120_000;

export interface WorkerStage {
  /** The database's address for a login, as this process reaches it. */
  databaseUrl(user: string, password: string): string;
  /** Nothing moves on before these have settled. */
  track(work: Promise<unknown>): void;
  /** A worker rings: something is ready or finished. */
  ring(): void;
  mediumOf(jobId: string): SubmittedMedium;
  /** A job was committed on this machine. */
  onFinish(machineId: string): void;
  /** The object store answers: without it no medium can be fetched. */
  isStoreThere(): boolean;
}

export interface Pace {
  /** From the program's first word to its hello; 2 s where it is not told. */
  loadMs?: number;
  /** How long all the work on a medium takes on a machine; 20 s where it is not told. */
  workMs?(medium: SubmittedMedium, machine: MarketMachine): number;
}

/** What a job is about, as far as it takes time. */
export interface SubmittedMedium {
  kind: string;
  durationMs: number;
  sizeBytes: number;
  analyses: string[];
}

/** What the container's own environment names the machine, as the real worker reads it. */
export function scriptedWorker(stage: WorkerStage, pace: Pace = {}): StartContainer {
  return (machine, market, environment) => {
    const { clock } = market;
    const { ailment } = machine;
    const life = new AbortController();
    let markEnded = () => {};
    const ended = new Promise<void>((resolve) => {
      markEnded = resolve;
    });
    // Somebody else's machine: whatever it runs is none of our business.
    if (!machine.environment.AIMA_DATABASE_URL) return { ended, kill: () => markEnded() };
    const server = openServer(urlOf(machine, stage), life.signal);
    const bornAtMs = clock.nowMs();
    let lastContactMs = bornAtMs;
    let idleSinceMs = bornAtMs;
    let job: Awaited<ReturnType<Server['claim']>> = null;
    let done = 0;

    const isAlive = () => !life.signal.aborted;
    /** The program ends; the machine is the provider's business. */
    function exit(): void {
      if (!isAlive()) return;
      life.abort(new Error('ended'));
      stage.track(server.close());
      markEnded();
    }
    /** What the dead man's switch does where the provider lets a machine end itself. */
    function selfEnd(): void {
      if (!isAlive()) return;
      exit();
      market.end(machine.id);
    }
    const isCutOff = () => ailment?.kind === 'loses_network' && clock.nowMs() - bornAtMs >= ailment.afterMs;

    function every(pauseMs: () => number, act: () => Promise<void>): void {
      clock.after(pauseMs(), () => {
        if (!isAlive()) return;
        stage.track(attempt(act).finally(() => isAlive() && every(pauseMs, act)));
      });
    }
    /** The next part takes its share of the work; looking for a job and finishing one take a moment. */
    const stepMs = () => {
      if (!pace.workMs) return lookMs;
      if (!job) return momentMs;
      return done < partsOfAJob ? pace.workMs(stage.mediumOf(job.jobId), machine) / partsOfAJob : momentMs;
    };
    async function attempt(act: () => Promise<void>): Promise<void> {
      try {
        if (isCutOff()) throw Object.assign(new Error('no network'), { code: 'ENETUNREACH' });
        await act();
        lastContactMs = clock.nowMs();
      } catch (error) {
        if (!isAlive()) return;
        if (error instanceof LeaseOver) return selfEnd();
        if (error instanceof Superseded) job = null;
        else if (clock.nowMs() - lastContactMs > lostContactMs) selfEnd();
      }
    }

    async function step(): Promise<void> {
      if (!job) {
        job = await server.claim();
        if (!job) {
          if (clock.nowMs() - idleSinceMs > idleMs) {
            await server.leave('had nothing to do', true);
            stage.ring();
            selfEnd();
          }
          return;
        }
        done = (await server.saved(job)).length;
        return;
      }
      if (ailment?.kind === 'disk_full') {
        await server.fail(job, {
          code: 'internal',
          detail: 'ENOSPC: no space left on device',
          retry: true,
          run: null,
        });
        job = null;
        return;
      }
      if (!stage.isStoreThere()) {
        await server.fail(job, { code: 'media_unreachable', detail: 'no answer', retry: true, run: null });
        job = null;
        return;
      }
      if (done < partsOfAJob) {
        // Twice, as after an answer that was lost on its way.
        await server.savePart(job, 'transcribe', partOf(done));
        await server.savePart(job, 'transcribe', partOf(done));
        done++;
        await server.progress(job, done / partsOfAJob);
        return;
      }
      const finished = job;
      job = null;
      idleSinceMs = clock.nowMs();
      await server.finish(finished, report, {
        kind: 'audio',
        durationMs: partsOfAJob * partMs,
        width: null,
        height: null,
      });
      stage.onFinish(machine.id);
      // And once more: it must be refused.
      await server.finish(finished, report, {}).catch(() => {});
      stage.ring();
    }

    async function begin(): Promise<void> {
      await server.starting({ version: 'scripted', providerInstanceId: ownId(machine, environment) });
      if (ailment?.kind === 'crash_loop') return exit();
      if (ailment?.kind === 'no_gpu') {
        await server.unfit('no CUDA device was found');
        stage.ring();
        return selfEnd();
      }
      if (ailment?.kind === 'hangs_in_load') return;
      clock.after(pace.loadMs ?? 2_000, () => {
        if (!isAlive()) return;
        stage.track(
          attempt(async () => {
            await server.hello({ version: 'scripted' });
            idleSinceMs = clock.nowMs();
            stage.ring();
            every(stepMs, step);
            every(
              () => heartbeatMs,
              async () => {
                const { jobs } = await server.heartbeat();
                if (job && !jobs.includes(job.jobId)) job = null;
              },
            );
          }),
        );
      });
    }

    stage.track(attempt(begin));
    return {
      ended,
      kill() {
        life.abort(new Error('killed'));
        stage.track(server.close());
        markEnded();
      },
    };
  };
}

const report = {
  startedAt: new Date(0).toISOString(),
  wallMs: 1000,
  device: 'cpu',
  worker: 'scripted',
  medium: null,
  damages: [],
  analyzers: [],
};

function partOf(index: number) {
  const fromMs = index * partMs;
  return {
    fromMs,
    toMs: fromMs + partMs,
    rows: [
      {
        kind: 'segment' as const,
        startMs: fromMs,
        endMs: fromMs + partMs,
        text: `part ${index}`,
        language: 'en',
        confidence: 1,
        speakerId: null,
        words: [],
      },
    ],
  };
}

/** As the real worker learns it: from what its provider puts into its environment. */
function ownId(machine: MarketMachine, environment: Record<string, string>): string | null {
  const { AIMA_PROVIDER, RUNPOD_POD_ID, CONTAINER_ID } = environment;
  // What hands it to a serverless worker is gpu-worker/serverless.ts: the id of the job.
  if (AIMA_PROVIDER === 'runpod-serverless') return machine.id;
  return RUNPOD_POD_ID ?? CONTAINER_ID ?? null;
}

function urlOf({ environment }: MarketMachine, stage: WorkerStage): string {
  const given = new URL(environment.AIMA_DATABASE_URL!);
  return stage.databaseUrl(given.username, decodeURIComponent(given.password));
}
