/**
 * Where sound is cut into stretches. A stretch is decoded on its own, from scratch: no state
 * of the voice detector or the recognizer crosses its borders. That makes a border a place
 * where a job can be resumed and hear exactly the same words as without the interruption,
 * and it keeps silence away from the recognizer.
 *
 * Pure: told how likely each window holds speech, it says what to do next.
 */
import { WINDOW_MS } from './silero.ts';

/** Silero's own defaults: speech begins at 0.5 and goes on until well below it. */
const SPEECH_BEGINS = 0.5;
const SPEECH_GOES_ON = 0.35;

const windows = (ms: number) => Math.round(ms / WINDOW_MS);

/** How much before the border the next stretch begins to listen, so that no soft onset is lost. */
export const LEAD_WINDOWS = windows(320);
/** A pause that ends a stretch. Longer than the 0.5 s after which Vosk ends an utterance by itself. */
const PAUSE_WINDOWS = windows(1_200);
const BREATH_WINDOWS = windows(192);
/** Silence is closed too now and then, so that it need not be heard again when a job is resumed. */
const SILENCE_WINDOWS = windows(10_000);
/** Clicks and coughs: Vosk makes "the" and "huh" of them. */
const LEAST_SPEECH_WINDOWS = windows(160);

/** How long a stretch may be, in windows; each recognizer has its own measure. */
export interface Lengths {
  /** From here on any breath is taken as a border, so that parts can be saved while somebody talks on. */
  long: number;
  /** Nobody speaks so long without a breath (music, crowds): cut anyway. */
  tooLong: number;
}

export const lengths = (longMs: number, tooLongMs: number): Lengths => ({
  long: windows(longMs),
  tooLong: windows(tooLongMs),
});

const VOSK_LENGTHS = lengths(40_000, 60_000);

export interface Stretch {
  windows: number;
  /** Windows since the last one with speech, or since the start. */
  silentWindows: number;
  speechWindows: number;
  speaking: boolean;
}

/** `open`: speech begins here. `close`: the stretch is over. `continue`: neither. */
export type Step = 'continue' | 'open' | 'close';

export const newStretch = (): Stretch => ({
  windows: 0,
  silentWindows: 0,
  speechWindows: 0,
  speaking: false,
});

/** Takes the next window's speech probability into the stretch and says what follows from it. */
export function advance(stretch: Stretch, probability: number, limits: Lengths = VOSK_LENGTHS): Step {
  stretch.windows++;
  if (probability >= (stretch.speaking ? SPEECH_GOES_ON : SPEECH_BEGINS)) {
    stretch.silentWindows = 0;
    stretch.speechWindows++;
    if (!stretch.speaking) {
      stretch.speaking = true;
      return 'open';
    }
  } else stretch.silentWindows++;
  return isOver(stretch, limits) ? 'close' : 'continue';
}

function isOver({ speaking, windows, silentWindows }: Stretch, { long, tooLong }: Lengths): boolean {
  if (!speaking) return silentWindows >= SILENCE_WINDOWS;
  return (
    silentWindows >= PAUSE_WINDOWS ||
    (windows >= long && silentWindows >= BREATH_WINDOWS) ||
    windows >= tooLong
  );
}

/** Windows at the end of a closed stretch that the next one hears again: silence, never speech. */
export const overlapWindows = (stretch: Stretch) => Math.min(LEAD_WINDOWS, stretch.silentWindows);

/** Whether there was enough speech for its words to be believed. */
export const heardSpeech = (stretch: Stretch) => stretch.speechWindows >= LEAST_SPEECH_WINDOWS;
