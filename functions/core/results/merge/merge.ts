/**
 * Joins what the pieces of a long medium found into what one run over the whole of it would have
 * found. Pure.
 *
 * Each piece has analysed what it owns and some seconds of its neighbours' time. What it says of that
 * is not kept, but it shows what goes on across the cut: the words that both have heard, the things
 * that both have seen. So a word at a cut appears once, an utterance, a text, a thing or a face that
 * lasts over a cut is one, and a cut in the work makes no cut in the film.
 *
 *   speech.ts, speech-cut.ts   utterances: cut between two words that both have heard
 *   scenes.ts                  scenes: a boundary counts where it is owned
 *   followed.ts                texts, objects, faces: clipped, and one name on both sides of a cut
 *   pictures.ts                pictures: clipped, and one where both sides of a cut look the same
 *   pieces-own.ts              voices, moderation, signals, loudness: clipped
 *   people.ts                  people: grouped anew over all faces
 *   ../speakers.ts             speakers: grouped anew over all voices
 *   runs.ts                    the reports of the pieces' runs
 */
import type { ResultRow } from '../rows.ts';
import { speakerRows } from '../speakers.ts';
import { faces, mergeFollowed, objects, texts } from './followed.ts';
import { mergePeople } from './people.ts';
import { mergePictures } from './pictures.ts';
import type { Piece } from './piece.ts';
import { ownLoudness, ownModeration, ownSignals, ownVoices } from './pieces-own.ts';
import { mergeScenes } from './scenes.ts';
import { mergeSpeech } from './speech.ts';

/**
 * @param pieces in the order of time; one that failed has few rows or none.
 * @returns the rows of the whole for each piece, in their order: what begins in it.
 */
export function mergeRows(pieces: readonly Piece[]): ResultRow[][] {
  const mergedFaces = mergeFollowed(pieces, faces);
  const voices = ownVoices(pieces);
  const kinds: ResultRow[][][] = [
    mergeSpeech(pieces),
    mergeScenes(pieces),
    mergeFollowed(pieces, texts),
    mergeFollowed(pieces, objects),
    mergedFaces,
    voices,
    ownModeration(pieces),
    mergePictures(pieces),
    ownSignals(pieces),
    ownLoudness(pieces),
  ];
  const groups = [...mergePeople(mergedFaces.flat()), ...speakerRows(voices.flat())];
  return pieces.map((_, index) => [
    ...kinds.flatMap((rows) => rows[index]!),
    ...(index === pieces.length - 1 ? groups : []),
  ]);
}
