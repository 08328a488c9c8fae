/**
 * What the picture looks like, stretch by stretch, so that others like it can be found: a
 * perceptual hash for copies, a vector for pictures of such things, and a thumbnail.
 *
 * A stretch begins with the picture that stands for it and lasts while the picture looks the same
 * as that one. Whether it does is decided by the hash, which costs 7 ms; only where the hash has
 * changed the vector is asked, which costs 23 and knows that a camera that moves still shows the same room.
 *
 * A stretch that lasts over parts has one row in each, of which the first has its vector: from it
 * a session that goes on elsewhere knows what it is to compare with. Pictures with nothing in them
 * have no vector: every film has black ones, and nobody looks for those.
 *
 * The vector's model comes through pip. Where there is none the hash must do: copies are found still.
 */
import { decodeEmbedding, encodeEmbedding } from '../../functions/core/results/embeddings.ts';
import {
  featurelessHash,
  isCopy,
  type Look,
  looksSame,
} from '../../functions/core/results/pictures-alike.ts';
import type { PictureRow } from '../../functions/core/results/rows.ts';
import { sketchOf } from '../../functions/core/results/sketch.ts';
import type { Analyzer, AnalyzerContext, AnalyzerSession, Frame } from './analyzer.ts';
import { openFrame } from './picture-tensor.ts';
import { FEATURE_MODEL, FEATURE_SPACE, featuresOf } from './similarity/features.ts';
import { perceptualHash } from './similarity/perceptual-hash.ts';

const THUMBNAIL_PIXELS = 320;

/** A stretch that has begun. */
interface Stretch extends Look {
  id: string;
  startMs: number;
  keyframeMs: number;
  thumbnail: string | null;
  /** Whether a row of it was given out, and its vector with it. */
  isSaved: boolean;
}

export const similarity: Analyzer = {
  name: 'similarity',
  version: '1',
  kinds: ['image', 'video'],
  feed: { frames: { fps: 1, maxWidth: 640 } },
  models: ({ hasPip }) => (hasPip ? [FEATURE_MODEL] : []),
  cost: 0.02,
  start,
};

async function start(context: AnalyzerContext): Promise<AnalyzerSession> {
  const { models } = context;
  const model = models.means.hasPip ? await models.session(FEATURE_MODEL) : null;
  let current = resumed(context);
  let lastNumber = current ? Number(current.id.slice(1)) : 0;
  let lastMs = context.fromMs;
  let savedToMs = context.fromMs;
  /** Those that have ended since the last part, with their ends. */
  const ended: { stretch: Stretch; endMs: number }[] = [];

  async function begin(frame: Frame, look: Look): Promise<void> {
    if (current) ended.push({ stretch: current, endMs: frame.tMs });
    const id = `p${++lastNumber}`;
    const thumbnail = await context.savePicture(
      `pictures/${id}.webp`,
      await thumbnailOf(frame),
      'image/webp',
    );
    current = { ...look, id, thumbnail, startMs: frame.tMs, keyframeMs: frame.tMs, isSaved: false };
  }

  function rowsUpTo(toMs: number): PictureRow[] {
    const parts = ended.splice(0);
    if (current) parts.push({ stretch: current, endMs: toMs });
    const rows = parts
      .map(({ stretch, endMs }) => ({ stretch, endMs, startMs: Math.max(stretch.startMs, savedToMs) }))
      // What begins where a part ends belongs to the next one; only a still picture has no duration.
      .filter(({ startMs, endMs }) => startMs < endMs || context.kind === 'image')
      .map(({ stretch, startMs, endMs }) => toRow(stretch, startMs, endMs));
    savedToMs = toMs;
    return rows;
  }

  return {
    async onFrame(frame) {
      lastMs = frame.tMs;
      const hash = await perceptualHash(frame);
      if (current && isCopy(current.perceptualHash, hash)) return;
      const embedding = model && hash !== featurelessHash ? await featuresOf(model, frame) : null;
      const look = { perceptualHash: hash, embedding };
      if (!current || !looksSame(current, look)) await begin(frame, look);
    },
    async drain() {
      return { toMs: lastMs, rows: rowsUpTo(lastMs) };
    },
    async finish() {
      const toMs = Math.max(context.durationMs, lastMs);
      const rows = rowsUpTo(toMs);
      const outcome = current
        ? ({ status: 'ok', reason: null } as const)
        : ({
            status: 'nothing_found',
            reason: 'There is no picture in the file that could be decoded.',
          } as const);
      return { toMs, rows, outcome };
    },
    async dispose() {},
  };
}

function toRow(stretch: Stretch, startMs: number, endMs: number): PictureRow {
  const { id, keyframeMs, perceptualHash, embedding, thumbnail } = stretch;
  const vector = stretch.isSaved ? null : embedding;
  stretch.isSaved = true;
  return {
    kind: 'picture',
    pictureId: id,
    startMs,
    endMs,
    keyframeMs,
    perceptualHash,
    embedding: vector && encodeEmbedding(vector),
    embeddingSpace: vector && FEATURE_SPACE,
    sketch: vector && sketchOf(vector),
    thumbnail,
  };
}

function thumbnailOf(frame: Frame): Promise<Buffer> {
  return openFrame(frame)
    .resize(THUMBNAIL_PIXELS, THUMBNAIL_PIXELS, { fit: 'inside', withoutEnlargement: true })
    .webp({ quality: 78 })
    .toBuffer();
}

/** The stretch that lasted when the parts before `fromMs` were saved. */
function resumed({ saved }: AnalyzerContext): Stretch | null {
  const rows = saved
    .filter((row): row is PictureRow => row.kind === 'picture')
    .toSorted((a, b) => a.startMs - b.startMs);
  const id = rows.at(-1)?.pictureId;
  const first = rows.find((row) => row.pictureId === id);
  if (!first) return null;
  const { pictureId, startMs, keyframeMs, perceptualHash, embedding, thumbnail } = first;
  return {
    ...{ id: pictureId, startMs, keyframeMs, perceptualHash, thumbnail, isSaved: true },
    embedding: embedding === null ? null : decodeEmbedding(embedding),
  };
}
