/**
 * The models that read text, the better ones first.
 *
 * PP-OCRv6 small knows Chinese, Japanese and everything in Latin letters. It comes in a package of the
 * Python Package Index, so it is there only where pip is. PP-OCRv4 mobile comes through npm and knows
 * English and Chinese: umlauts and accents it reads as plain letters. Share of characters read right,
 * in four fonts at 18 and 36 pixels: English 100 % and 99.4 %, German 99.7 % and 89.2 %; French,
 * Spanish and Danish 98.3 % with the newer ones. Both take as long: 1.2 s of one core for a picture
 * of 1280 × 720 with six lines.
 *
 * One recogniser reads every line. The two detectors are not mixed with the other's recogniser: the
 * older one cuts the dots off capitals ("Arztlicher Notdienst", "Ol").
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Means } from '../../models/means.ts';
import { onnxMetadata } from '../../models/onnx/metadata.ts';
import type { ModelStore } from '../../models/store.ts';
import { parseDictionary, type Recognizer } from './recognizer.ts';

export interface TextModels {
  detector: string;
  recognizer: string;
  /** ISO 15924 codes of the scripts that the recogniser has letters of. */
  scripts: readonly string[];
  /** Whether its Latin letters go beyond those of English. */
  hasAccents: boolean;
  /** See `Recognizer`. */
  leastSpace: number;
  /** The recogniser's characters, one a line. */
  dictionary(store: ModelStore): Promise<string>;
}

const PPOCR_V6: TextModels = {
  detector: 'ppocr6-det',
  recognizer: 'ppocr6-rec',
  scripts: ['Latn', 'Hans', 'Hant', 'Jpan'],
  hasAccents: true,
  /** It gives spaces like any other character: no blank is one ("3, 50" came of trying). */
  leastSpace: Infinity,
  async dictionary(store) {
    const file = await readFile(join(store.folder('ppocr6-rec'), 'PP-OCRv6_rec_small.onnx'));
    const characters = onnxMetadata(file).get('character');
    if (!characters) throw new Error('The text recogniser does not say what characters it knows.');
    return characters;
  },
};

const PPOCR_V4: TextModels = {
  detector: 'ppocr-det',
  recognizer: 'ppocr-rec',
  scripts: ['Latn', 'Hans', 'Hant'],
  hasAccents: false,
  /**
   * It was trained on Chinese and is shy of spaces: it gives most of them 0.01 to 0.4 and the blank the
   * rest. Taking a blank for a space from here on made 58 of 72 rendered lines exact instead of 20
   * (3 fonts at 16, 22 and 38 px); at 0.003 false spaces begin to appear.
   */
  leastSpace: 0.01,
  dictionary: (store) => readFile(join(store.folder('ppocr-rec'), 'ppocr_keys_v1.txt'), 'utf8'),
};

/** What a worker with these means reads with, in every tier. */
export const textModelsOf = ({ hasPip }: Means): TextModels => (hasPip ? PPOCR_V6 : PPOCR_V4);

export async function openRecognizer(store: ModelStore, models: TextModels): Promise<Recognizer> {
  return {
    session: await store.session(models.recognizer),
    dictionary: parseDictionary(await models.dictionary(store)),
    leastSpace: models.leastSpace,
  };
}
