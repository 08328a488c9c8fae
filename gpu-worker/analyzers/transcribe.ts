/**
 * `transcribe`: what is said, word by word.
 *
 * Silero finds where somebody speaks, and a speech model hears only that: Whisper
 * (speech/whisper/) where the worker may use it, Vosk (speech/vosk-session.ts) elsewhere.
 */
import type { Analyzer } from './analyzer.ts';
import { whisperModelOf } from './speech/speech-model.ts';
import { startVosk } from './speech/vosk-session.ts';
import { startWhisper } from './speech/whisper/session.ts';

export const transcribe: Analyzer = {
  name: 'transcribe',
  version: '2',
  kinds: ['audio', 'video'],
  feed: { pcm: true },
  models(means) {
    const whisper = whisperModelOf(means);
    return whisper ? ['silero-vad', whisper] : ['silero-vad', 'vosk-lib', 'vosk-en'];
  },
  cost: 0.2,
  async start(context) {
    const whisper = whisperModelOf(context.models.means);
    return whisper ? startWhisper(context, whisper) : startVosk(context);
  },
};
