/**
 * One analyzer's way through a medium: a bounded queue in front of a session that takes one
 * piece after the other, saving a part now and then.
 */
import type {
  Analyzer,
  AnalyzerContext,
  AnalyzerSession,
  Frame,
  Outcome,
  Part,
} from '../analyzers/analyzer.ts';
import type { PcmChunk } from '../media/pcm.ts';
import { apartMs } from '../media/until.ts';
import { BoundedQueue } from './queue.ts';

/** The first part comes soon, so that people see that something comes; then one every ten seconds. */
const firstPartMs = 4_000;
const partMs = 10_000;

/** About a second of frames at two a second and full size, or of small ones at full rate. */
const queueBytes = 16 * 2 ** 20;

type Piece = Frame | PcmChunk;

export interface LaneResult {
  outcome: Outcome;
  /** Time its session worked, waiting for models included. */
  wallMs: number;
}

export interface Lane {
  readonly name: string;
  /** How far it has come in the medium. */
  readonly doneMs: number;
  /** Waits while the queue is full. Pieces before its start are left out. */
  push(piece: Piece): Promise<void>;
  /** No more pieces come; settles when all is saved. Never rejects but for `onPart` and the abort. */
  end(): Promise<LaneResult>;
  /** Gives up at once, without a last part. */
  stop(): Promise<void>;
}

export interface LaneOptions {
  analyzer: Analyzer;
  context: AnalyzerContext;
  /** Both pictures and sound will come. */
  isFedByBoth: boolean;
  /** Saves a part. When it rejects, the whole analysis ends. */
  onPart(part: Part & { fromMs: number }): Promise<void>;
}

/** The analyzer itself failed: its own business, the other lanes go on. */
class AnalyzerFailure extends Error {}

export function startLane({ analyzer, context, isFedByBoth, onPart }: LaneOptions): Lane {
  const queue = new BoundedQueue<Piece>(queueBytes, sizeOf);
  let savedToMs = context.fromMs;
  let nextPartMs = context.fromMs + firstPartMs;
  let doneMs = context.fromMs;
  const fedMs = { pictures: context.fromMs, sound: context.fromMs };
  let wallMs = 0;

  /** Runs a step of the session: times it, and tells its failures from ours. */
  async function step<T>(work: () => Promise<T>): Promise<T> {
    context.signal.throwIfAborted();
    const startedAt = performance.now();
    try {
      return await work();
    } catch (cause) {
      context.signal.throwIfAborted();
      throw new AnalyzerFailure(cause instanceof Error ? cause.message : String(cause), { cause });
    } finally {
      wallMs += performance.now() - startedAt;
    }
  }

  async function save(part: Part, isLast: boolean): Promise<void> {
    if (part.toMs < savedToMs) throw new AnalyzerFailure('it went back in time');
    if (part.toMs === savedToMs && !(isLast && part.rows.length > 0)) return;
    await onPart({ ...part, fromMs: savedToMs });
    savedToMs = part.toMs;
  }

  async function run(): Promise<Outcome> {
    let session: AnalyzerSession | undefined;
    try {
      session = await step(() => analyzer.start(context));
      for await (const piece of queue) {
        const toMs = await step(() => feed(session!, piece));
        fedMs[isSound(piece) ? 'sound' : 'pictures'] = toMs;
        doneMs = isFedByBoth ? bothDoneMs(fedMs) : toMs;
        if (doneMs < nextPartMs) continue;
        nextPartMs = doneMs + partMs;
        await save(await step(() => session!.drain(doneMs)), false);
      }
      context.signal.throwIfAborted();
      const { outcome, ...part } = await step(() => session!.finish());
      await save(part, true);
      return outcome;
    } catch (error) {
      if (!(error instanceof AnalyzerFailure)) throw error;
      return { status: 'failed', reason: `The analysis failed: ${error.message}` };
    } finally {
      queue.close();
      await session?.dispose().catch(() => {});
    }
  }

  // Lets go of a decoder that waits for room; the session ends after its present step.
  context.signal.addEventListener('abort', () => queue.close(), { once: true });
  const running = run();
  // Whoever pushes or ends the lane sees the rejection; until then it is nobody's.
  running.catch(() => {});

  return {
    name: analyzer.name,
    get doneMs() {
      return doneMs;
    },
    async push(piece) {
      const wanted = from(piece, context.fromMs);
      // A lane that was aborted or could not save must stop the decoder too.
      if (wanted && !(await queue.push(wanted))) await running;
    },
    async end() {
      queue.end();
      return { outcome: await running, wallMs: Math.round(wallMs) };
    },
    async stop() {
      queue.close();
      await running.catch(() => {});
    },
  };
}

/** The one that is behind tells, unless it is so far behind that it has ended. */
function bothDoneMs({ pictures, sound }: { pictures: number; sound: number }): number {
  return Math.max(Math.min(pictures, sound), Math.max(pictures, sound) - apartMs);
}

const isSound = (piece: Piece): piece is PcmChunk => 'samples' in piece;
const sizeOf = (piece: Piece) => (isSound(piece) ? piece.samples.byteLength : piece.data.byteLength);

/** Gives a piece to the session and tells up to where it has been fed. */
async function feed(session: AnalyzerSession, piece: Piece): Promise<number> {
  if (!isSound(piece)) {
    await session.onFrame?.(piece);
    return piece.tMs;
  }
  await session.onPcm?.(piece.samples, piece.startMs);
  return Math.floor(piece.startMs + piece.samples.length / 16);
}

/** The part of a piece from `fromMs` on, or null. */
function from(piece: Piece, fromMs: number): Piece | null {
  if (!isSound(piece)) return piece.tMs < fromMs ? null : piece;
  const skipped = Math.max(0, (fromMs - piece.startMs) * 16);
  if (skipped === 0) return piece;
  if (skipped >= piece.samples.length) return null;
  return { ...piece, samples: piece.samples.subarray(skipped), startMs: fromMs };
}
