/** All analyzers there are, in the order in which people read their results. */
import type { Analyzer } from './analyzer.ts';
import { faces } from './faces.ts';
import { moderation } from './moderation.ts';
import { objects } from './objects.ts';
import { ocr } from './ocr.ts';
import { scenes } from './scenes.ts';
import { signals } from './signals.ts';
import { similarity } from './similarity.ts';
import { speakers } from './speakers.ts';
import { transcribe } from './transcribe.ts';

export const analyzers: readonly Analyzer[] = [
  transcribe,
  speakers,
  ocr,
  faces,
  objects,
  scenes,
  signals,
  moderation,
  similarity,
];
