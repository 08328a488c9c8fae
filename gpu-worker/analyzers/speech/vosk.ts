/**
 * Binding of libvosk (Kaldi) through koffi, as far as transcription needs it.
 *
 * All that takes time runs on koffi's worker threads (`.async`), so the event loop, and with
 * it the worker's heartbeat, goes on while Vosk computes. A model may serve several
 * recognizers at once; one recognizer takes one call at a time.
 *
 * Source: the C API, https://github.com/alphacep/vosk-api/blob/master/src/vosk_api.h
 */
import { appendFile, cp, mkdtemp, readdir, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import koffi, { type KoffiFunc } from 'koffi';
import { z } from 'zod';

type Pointer = bigint | null;

/** What Vosk heard in one utterance; times in seconds of the sound this recognizer was fed. */
const Utterance = z.object({
  result: z
    .array(z.object({ word: z.string(), start: z.number(), end: z.number(), conf: z.number() }))
    .default([]),
});
export type VoskWord = z.infer<typeof Utterance>['result'][number];

/** libvosk's floats are on the scale of 16 bit integers. */
const FLOAT_SCALE = 32_768;

/**
 * Noise added to the sound, +- so much on that scale. Kaldi needs some where sound is digital
 * silence: without it 375 words were heard in recorded prompts with pauses, with it 472.
 */
const DITHER = 2;

interface Library {
  loadModel(folder: string): Promise<Pointer>;
  freeModel(model: Pointer): void;
  newRecognizer(model: Pointer, sampleRate: number): Promise<Pointer>;
  setWords(recognizer: Pointer, on: number): void;
  accept(recognizer: Pointer, samples: Float32Array, length: number): Promise<number>;
  result(recognizer: Pointer): Promise<string>;
  finalResult(recognizer: Pointer): Promise<string>;
  freeRecognizer(recognizer: Pointer): void;
}

function bind(path: string): Library {
  const lib = koffi.load(path);
  const sync = <T extends (...args: never[]) => unknown>(definition: string): KoffiFunc<T> =>
    lib.func(definition) as unknown as KoffiFunc<T>;
  sync<(level: number) => void>('void vosk_set_log_level(int)')(-1);
  return {
    loadModel: promisify(sync<(folder: string) => Pointer>('void *vosk_model_new(str)').async),
    freeModel: sync<(model: Pointer) => void>('void vosk_model_free(void *)'),
    newRecognizer: promisify(
      sync<(model: Pointer, rate: number) => Pointer>('void *vosk_recognizer_new(void *, float)').async,
    ),
    setWords: sync<(recognizer: Pointer, on: number) => void>('void vosk_recognizer_set_words(void *, int)'),
    accept: promisify(
      sync<(recognizer: Pointer, samples: Float32Array, length: number) => number>(
        'int vosk_recognizer_accept_waveform_f(void *, const float *, int)',
      ).async,
    ),
    result: promisify(sync<(recognizer: Pointer) => string>('str vosk_recognizer_result(void *)').async),
    finalResult: promisify(
      sync<(recognizer: Pointer) => string>('str vosk_recognizer_final_result(void *)').async,
    ),
    freeRecognizer: sync<(recognizer: Pointer) => void>('void vosk_recognizer_free(void *)'),
  };
}

/**
 * A temporary folder with the same model set to add no noise of its own. Kaldi takes that from
 * a random source of the whole process, and would hear the same sound a little differently
 * each time; a resumed job should hear the same words, so the recognizer adds the noise.
 */
async function withoutDither(modelFolder: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'aima-vosk-'));
  for (const name of await readdir(modelFolder)) {
    if (name !== 'conf') await symlink(join(modelFolder, name), join(folder, name));
  }
  await cp(join(modelFolder, 'conf'), join(folder, 'conf'), { recursive: true });
  await appendFile(join(folder, 'conf/mfcc.conf'), '\n--dither=0\n');
  return folder;
}

/** A loaded acoustic and language model, about 150 MB of memory. */
export class VoskModel {
  readonly #lib: Library;
  readonly #model: Pointer;

  private constructor(lib: Library, model: Pointer) {
    this.#lib = lib;
    this.#model = model;
  }

  /** Loads `libvosk.so` from one folder and a Kaldi model from another; throws where either is not usable. */
  static async load(libFolder: string, modelFolder: string): Promise<VoskModel> {
    const lib = bind(join(libFolder, 'libvosk.so'));
    const folder = await withoutDither(modelFolder);
    const model = await lib.loadModel(folder).finally(() => rm(folder, { recursive: true }));
    if (!model) throw new Error('Vosk could not load its speech model.');
    return new VoskModel(lib, model);
  }

  /** A recognizer for one stretch of 16 kHz mono sound. Free it with `dispose()`. */
  async recognizer(): Promise<VoskRecognizer> {
    const handle = await this.#lib.newRecognizer(this.#model, 16_000);
    if (!handle) throw new Error('Vosk could not make a recognizer.');
    this.#lib.setWords(handle, 1);
    return new VoskRecognizer(this.#lib, handle);
  }

  dispose(): void {
    this.#lib.freeModel(this.#model);
  }
}

export class VoskRecognizer {
  readonly #lib: Library;
  readonly #handle: Pointer;
  /** Held in a field because the native thread reads it during the call. */
  #scaled = new Float32Array(0);
  #noise = 1;

  constructor(lib: Library, handle: Pointer) {
    this.#lib = lib;
    this.#handle = handle;
  }

  /** Hears more sound, floats in -1..1. Gives the words of an utterance where one ended in it, else null. */
  async accept(samples: Float32Array): Promise<VoskWord[] | null> {
    this.#scaled = samples.map((sample) => sample * FLOAT_SCALE + this.#dither());
    const ended = await this.#lib.accept(this.#handle, this.#scaled, samples.length);
    if (ended < 0) throw new Error('Vosk failed while decoding.');
    return ended ? words(await this.#lib.result(this.#handle)) : null;
  }

  /** The next value of noise that is the same for each recognizer: a linear congruential generator. */
  #dither(): number {
    this.#noise = (Math.imul(this.#noise, 1_664_525) + 1_013_904_223) >>> 0;
    return (this.#noise / 2 ** 31 - 1) * DITHER;
  }

  /** The words of what is still pending. Nothing may be fed after it. */
  async finish(): Promise<VoskWord[]> {
    return words(await this.#lib.finalResult(this.#handle));
  }

  dispose(): void {
    this.#lib.freeRecognizer(this.#handle);
  }
}

function words(json: string): VoskWord[] {
  return Utterance.parse(JSON.parse(json)).result;
}
