/**
 * What can be asked for: the analyses, the kinds of media each applies to, and the presets. The
 * only list; the worker's analyzers bear the same names.
 */

export type MediaKind = 'image' | 'audio' | 'video';

export interface Analysis {
  /** For people: what comes out of it. */
  description: string;
  kinds: readonly MediaKind[];
  /** Recognises persons by their bodies: runs only where somebody asked for it by name. */
  biometric: boolean;
}

function analysis(description: string, kinds: readonly MediaKind[], biometric = false): Analysis {
  return { description, kinds, biometric };
}

export const ANALYSES = {
  metadata: analysis('Technical data of the file, and nothing that costs', ['image', 'audio', 'video']),
  transcribe: analysis('What is said, with the time of each word', ['audio', 'video']),
  speakers: analysis('Who speaks when', ['audio', 'video'], true),
  ocr: analysis('Text seen in the picture', ['image', 'video']),
  faces: analysis('Faces, and which of them are the same person', ['image', 'video'], true),
  objects: analysis('Things of known classes and where they are', ['image', 'video']),
  scenes: analysis('Cuts, and a picture of each scene', ['video']),
  signals: analysis('Loudness, silence, black and frozen pictures', ['audio', 'video']),
  moderation: analysis('What a person should look at before others see it', ['image', 'video']),
  similarity: analysis('What pictures look like, to find others like them', ['image', 'video']),
} as const satisfies Record<string, Analysis>;

export type AnalysisName = keyof typeof ANALYSES;

export const analysisNames = Object.keys(ANALYSES) as [AnalysisName, ...AnalysisName[]];

/** `everything` has faces and voices in it: whoever names it asks for them. */
export const PRESETS = {
  default: ['transcribe', 'ocr', 'objects', 'scenes', 'signals'],
  everything: [
    'metadata',
    'transcribe',
    'speakers',
    'ocr',
    'faces',
    'objects',
    'scenes',
    'signals',
    'moderation',
    'similarity',
  ],
  metadata: ['metadata'],
} as const satisfies Record<string, readonly AnalysisName[]>;

export type PresetName = keyof typeof PRESETS;

export const presetNames = Object.keys(PRESETS) as [PresetName, ...PresetName[]];

/** Whether at least one of the analyses can find something in a medium of this kind. */
export function applies(names: readonly string[], kind: MediaKind): boolean {
  return names.some(
    (name) => name in ANALYSES && (ANALYSES[name as AnalysisName].kinds as readonly string[]).includes(kind),
  );
}
