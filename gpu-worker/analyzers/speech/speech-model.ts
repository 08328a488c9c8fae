/**
 * Which model hears speech. Whisper knows about a hundred languages, and its size goes with the
 * tier; the smallest comes in packages of the Python Package Index. A machine that has npm
 * packages only takes Vosk, which knows English.
 */
import type { Means } from '../../models/means.ts';
import { speechModels } from '../../models/speech-whisper.ts';

/** Id of the Whisper model that a worker with these means takes, or null where it takes Vosk. */
export function whisperModelOf({ tier, hasPip }: Means): string | null {
  return tier === 'packaged' && !hasPip ? null : speechModels[tier];
}
