/** All analyzers there are, in the order in which people read their results. */
import type { Analyzer } from './analyzer.ts';
import { faces } from './faces.ts';
import { objects } from './objects.ts';
import { ocr } from './ocr.ts';
import { scenes } from './scenes.ts';
import { transcribe } from './transcribe.ts';

export const analyzers: readonly Analyzer[] = [transcribe, ocr, faces, objects, scenes];
