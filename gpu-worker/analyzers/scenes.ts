/**
 * Scenes: where the shots of a film begin and end, and one picture of each.
 *
 * Every frame goes to the cut finder (scenes/cut-finder.ts), small. Of each scene the frame
 * with the most to see and the least movement is kept, taken from a few every second; it is
 * chosen for good when a part with the scene in it is saved for the first time.
 *
 * A part ends at a frame that surely lies inside a scene, so that the next part, or a session
 * that goes on elsewhere, sees the next cut between that frame and the one after it. A scene
 * that lasts longer has one row in each part, alike but for its times.
 */
import sharp from 'sharp';
import type { SceneRow } from '../../functions/core/results/rows.ts';
import type { Analyzer, AnalyzerContext, AnalyzerSession, Frame, Part } from './analyzer.ts';
import { cutFinder } from './scenes/cut-finder.ts';
import { distance, type Signature, sharpness, signatureOf } from './scenes/signature.ts';

/** A scene younger than this is not saved yet: its best picture may still come. */
const settledMs = 2_000;
/** How often a frame is considered as the picture of its scene. */
const candidateEveryMs = 400;

interface Candidate {
  frame: Frame;
  merit: number;
}

interface Scene {
  id: string;
  startMs: number;
  /** Null while it lasts. */
  endMs: number | null;
  score: number | null;
  best: Candidate | null;
  /** Set when it was chosen for good. */
  picture: { keyframeMs: number; thumbnail: string } | null;
}

export const scenes: Analyzer = {
  name: 'scenes',
  version: '1',
  kinds: ['image', 'video'],
  feed: { frames: { fps: 0, maxWidth: 320 } },
  models: [],
  // Mostly the decoding of every frame, which only it needs: 3.4 CPU seconds for 60 s of 720p.
  cost: 0.06,
  async start(context) {
    return startScenes(context);
  },
};

function startScenes(context: AnalyzerContext): AnalyzerSession {
  const finder = cutFinder();
  const resumed = resume(context);
  let lastNumber = resumed ? Number(resumed.id.slice(1)) : 0;
  /** Those not wholly saved; the last one lasts. */
  const open: Scene[] = resumed ? [resumed] : [];
  let savedToMs = context.fromMs;
  /** Frames that may become a picture but are not yet known to belong to which scene. */
  const candidates: Candidate[] = [];
  let lastCandidateMs = Number.NEGATIVE_INFINITY;
  /** The newest frame that was decided on, and the newest of all. */
  let decidedMs = context.fromMs;
  let lastFrameMs = context.fromMs;
  /** The last frame of the scene before the present one. */
  let beforeCutMs: number | null = null;
  let previous: Signature | null = null;

  function begin(startMs: number, score: number | null): Scene {
    const scene = { id: `s${++lastNumber}`, startMs, endMs: null, score, best: null, picture: null };
    open.push(scene);
    return scene;
  }

  function decide(decisions: ReturnType<typeof finder.push>): void {
    for (const { tMs, cut } of decisions) {
      let scene = open.at(-1) ?? begin(context.fromMs, null);
      if (cut) {
        scene.endMs = tMs;
        beforeCutMs = decidedMs;
        scene = begin(tMs, cut.score);
      }
      decidedMs = tMs;
      while (candidates[0] && candidates[0].frame.tMs <= tMs) {
        const candidate = candidates.shift()!;
        if (!scene.best || candidate.merit > scene.best.merit) scene.best = candidate;
      }
    }
  }

  /** Saves what lies before `toMs`; a scene may be saved in several pieces. */
  async function rowsUpTo(toMs: number): Promise<SceneRow[]> {
    const rows: SceneRow[] = [];
    for (const scene of [...open]) {
      const startMs = Math.max(scene.startMs, savedToMs);
      const endMs = Math.min(scene.endMs ?? toMs, toMs);
      if (endMs > startMs || context.kind === 'image') rows.push(await rowOf(scene, startMs, endMs));
      if (scene.endMs !== null && scene.endMs <= toMs) open.splice(open.indexOf(scene), 1);
    }
    savedToMs = toMs;
    return rows;
  }

  async function rowOf(scene: Scene, startMs: number, endMs: number): Promise<SceneRow> {
    scene.picture ??= await keep(scene);
    const { id, score, picture } = scene;
    return { kind: 'scene', sceneId: id, startMs, endMs, score, ...picture };
  }

  async function keep(scene: Scene): Promise<{ keyframeMs: number; thumbnail: string }> {
    if (!scene.best) throw new Error(`scene ${scene.id} has no picture`);
    const { tMs, width, height, data } = scene.best.frame;
    scene.best = null;
    const webp = await sharp(data, { raw: { width, height, channels: 3 } })
      .webp({ quality: 78 })
      .toBuffer();
    const thumbnail = await context.savePicture(`scenes/${scene.id}.webp`, webp, 'image/webp');
    return { keyframeMs: tMs, thumbnail };
  }

  return {
    async onFrame(frame) {
      const signature = signatureOf(frame);
      const change = previous ? distance(previous, signature) : 0;
      // What may open a scene, by a cut or out of the dark, is a candidate too: each must have one.
      const mayOpen = change > 0.05 || (previous !== null && previous.brightness < 0.1);
      if (mayOpen || frame.tMs - lastCandidateMs >= candidateEveryMs) {
        const merit = sharpness(frame) / (1 + 20 * change);
        candidates.push({ frame: { ...frame, data: Uint8Array.from(frame.data) }, merit });
        lastCandidateMs = frame.tMs;
      }
      previous = signature;
      lastFrameMs = frame.tMs;
      decide(finder.push(frame.tMs, signature));
    },

    async drain(): Promise<Part> {
      const scene = open.at(-1);
      if (!scene) return { toMs: savedToMs, rows: [] };
      const isSettled = scene.picture !== null || decidedMs - scene.startMs >= settledMs;
      const toMs = Math.max(savedToMs, isSettled ? decidedMs : (beforeCutMs ?? savedToMs));
      return { toMs, rows: await rowsUpTo(toMs) };
    },

    async finish() {
      decide(finder.end());
      const toMs = Math.max(context.durationMs, open.length > 0 ? lastFrameMs : 0, savedToMs);
      const found = open.length > 0;
      return {
        toMs,
        rows: await rowsUpTo(toMs),
        outcome: found
          ? { status: 'ok', reason: null }
          : { status: 'nothing_found', reason: 'There is no picture in the file that could be decoded.' },
      };
    },

    async dispose() {
      candidates.length = 0;
      open.length = 0;
    },
  };
}

/** The scene that lasted when the parts before `fromMs` were saved. */
function resume({ saved }: AnalyzerContext): Scene | null {
  const rows = saved.filter((row): row is SceneRow => row.kind === 'scene');
  const last = rows.toSorted((a, b) => a.endMs - b.endMs).at(-1);
  if (!last) return null;
  const first = rows
    .filter((row) => row.sceneId === last.sceneId)
    .toSorted((a, b) => a.startMs - b.startMs)[0]!;
  return {
    id: last.sceneId,
    startMs: first.startMs,
    endMs: null,
    score: last.score,
    best: null,
    picture: last.thumbnail === null ? null : { keyframeMs: last.keyframeMs, thumbnail: last.thumbnail },
  };
}
