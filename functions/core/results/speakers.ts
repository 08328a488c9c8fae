/**
 * Groups the turns of one medium into speakers: average linkage on how alike their vectors are,
 * each turn counting by its length. How many speakers there are is found, not given. Pure.
 *
 * A turn's vector is the mean of vectors of 1.6 s each, made as long as 1 to be saved. Between
 * such means the cosine grows with the length of the turns, of one voice and of two alike, so
 * that no threshold fits both. Here each is given back the length that the mean of so many had;
 * the product of two is then the mean cosine of their windows, whatever the length of the
 * turns. That nearly halved the speech given to the wrong speaker.
 *
 * Turns too short to tell a voice by found no group of their own but join the one they are most
 * like; so do the groups that stay too small to be believed.
 *
 * Grouping compares each turn with each. Many are grouped block by block first, and then the groups
 * of all blocks: 9 000 turns took 3 s.
 */
import { round } from './boxes.ts';
import { decodeEmbedding, dot, normalised } from './embeddings.ts';
import { averageLinkage } from './persons.ts';
import type { SpeakerRow, VoiceRow } from './rows.ts';

export interface VoiceTurn {
  turnId: string;
  startMs: number;
  endMs: number;
  /** Of length 1. */
  embedding: Float32Array;
}

export interface Speaker {
  turnIds: string[];
  /** Mean cosine of all pairs, 0..1; null for a single turn. */
  cohesion: number | null;
}

/**
 * Mean cosine of the windows of two groups from which on they are one speaker's. Chosen on 35 talks of one
 * to five out of 13 recorded voices: there 5.0 % of the speech went to the wrong speaker, and in 30 the number
 * of speakers was right. Windows of one voice had .71 to .92, of two .40 to .60 mostly and .68 at most, both
 * women on the telephone; one voice that was recorded on several days became two or three.
 */
const SAME_SPEAKER = 0.65;
/** Mean cosine of two windows of a voice, and their length. */
const WITHIN_VOICE = 0.7;
const WINDOW_MS = 1_600;
const SHORT_TURN_MS = WINDOW_MS;
/** Of all of a group's turns together. */
const LEAST_GROUP_MS = 3_000;
/** 0.15 s, about an hour of talk. */
const BLOCK_TURNS = 500;

interface Group {
  turns: VoiceTurn[];
  /** The sum of the turns' mean vectors, each times its time. */
  sum: Float32Array;
  ms: number;
}

/** Groups in the order of their first turn; each turn is in one of them. */
export function groupSpeakers(turns: readonly VoiceTurn[], sameSpeaker = SAME_SPEAKER): Speaker[] {
  if (turns.length === 0) return [];
  const long = turns.filter((turn) => turn.endMs - turn.startMs >= SHORT_TURN_MS);
  const founding = long.length > 0 ? long : turns;
  const rest = long.length > 0 ? turns.filter((turn) => turn.endMs - turn.startMs < SHORT_TURN_MS) : [];
  let groups: Group[] = [];
  for (let from = 0; from < founding.length; from += BLOCK_TURNS) {
    const block = founding.slice(from, from + BLOCK_TURNS).map((turn) => groupOf([turn]));
    groups = [...groups, ...linked(block, sameSpeaker)];
  }
  if (founding.length > BLOCK_TURNS) groups = linked(groups, sameSpeaker);
  const believed = groups.filter(({ ms }) => ms >= LEAST_GROUP_MS);
  const kept = believed.length > 0 ? believed : [longest(groups)];
  const homeless = [
    ...groups.filter((group) => !kept.includes(group)).flatMap(({ turns }) => turns),
    ...rest,
  ];
  const homes = kept.map(({ sum }) => normalised(sum));
  const members = kept.map(({ turns }) => [...turns]);
  for (const turn of homeless) members[nearest(turn.embedding, homes)]!.push(turn);
  return members
    .map((own) => own.toSorted((a, b) => a.startMs - b.startMs))
    .sort((a, b) => a[0]!.startMs - b[0]!.startMs)
    .map((own) => ({ turnIds: own.map(({ turnId }) => turnId), cohesion: meanCosine(own) }));
}

/** The mean cosine of two groups, by time, is that of their mean vectors. */
function linked(groups: readonly Group[], threshold: number): Group[] {
  const means = groups.map(({ sum, ms }) => sum.map((value) => value / ms));
  const similarity = means.map(() => new Float32Array(means.length));
  for (const [i, mean] of means.entries()) {
    for (let j = 0; j <= i; j++) {
      const alike = dot(mean, means[j]!);
      similarity[i]![j] = alike;
      similarity[j]![i] = alike;
    }
  }
  const weights = groups.map(({ ms }) => ms);
  return averageLinkage(similarity, threshold, weights).map((indices) =>
    groupOf(indices.flatMap((index) => groups[index]!.turns)),
  );
}

function groupOf(turns: VoiceTurn[]): Group {
  const sum = new Float32Array(turns[0]!.embedding.length);
  let ms = 0;
  for (const { startMs, endMs, embedding } of turns) {
    // A turn without length counts as one of a millisecond.
    const time = Math.max(1, endMs - startMs);
    const weight = time * meanLength(time);
    for (let i = 0; i < sum.length; i++) sum[i]! += (embedding[i] ?? 0) * weight;
    ms += time;
  }
  return { turns, sum, ms };
}

/** Length of the mean of so many vectors of length 1 of which any two have the same cosine. */
function meanLength(ms: number): number {
  const windows = Math.max(1, ms / WINDOW_MS);
  return Math.sqrt(WITHIN_VOICE + (1 - WITHIN_VOICE) / windows);
}

function longest(groups: readonly Group[]): Group {
  return groups.reduce((best, group) => (group.ms > best.ms ? group : best));
}

function nearest(embedding: Float32Array, homes: readonly Float32Array[]): number {
  const likeness = homes.map((home) => dot(embedding, home));
  return likeness.indexOf(Math.max(...likeness));
}

/** The squared length of the vectors' sum is the sum of all their cosines, each vector's with itself among them. */
function meanCosine(turns: readonly VoiceTurn[]): number | null {
  const count = turns.length;
  if (count < 2) return null;
  const sum = new Float32Array(turns[0]!.embedding.length);
  for (const { embedding } of turns) for (let i = 0; i < sum.length; i++) sum[i]! += embedding[i] ?? 0;
  return Math.min(1, Math.max(0, (dot(sum, sum) - count) / (count * (count - 1))));
}

/** As many as a row may name; nobody takes so many turns in a day. */
const MOST_TURNS = 20_000;

/** The speakers of a medium, `sp1`, `sp2`, … in the order in which they are first heard. */
export function speakerRows(voices: readonly VoiceRow[]): SpeakerRow[] {
  const byId = new Map(voices.map((voice) => [voice.turnId, voice]));
  // Vectors of two models say nothing about each other.
  const spaces = Map.groupBy(voices, (voice) => voice.embeddingSpace);
  return [...spaces.values()]
    .flatMap((alike) =>
      groupSpeakers(alike.map((row) => ({ ...row, embedding: decodeEmbedding(row.embedding) }))),
    )
    .map(({ turnIds, cohesion }) => {
      const own = turnIds.map((turnId) => byId.get(turnId)!);
      const startMs = Math.min(...own.map((turn) => turn.startMs));
      return {
        turnIds: turnIds.slice(0, MOST_TURNS),
        cohesion,
        startMs,
        endMs: Math.max(...own.map((turn) => turn.endMs)),
      };
    })
    .toSorted((a, b) => a.startMs - b.startMs)
    .map(({ cohesion, ...speaker }, index) => ({
      kind: 'speaker',
      speakerId: `sp${index + 1}`,
      cohesion: cohesion === null ? null : round(cohesion),
      ...speaker,
    }));
}
