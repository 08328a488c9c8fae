/** What the dossier says in each of its languages. Numbers and times are written out by the language too. */
export interface Wording {
  /** BCP 47. */
  language: string;
  heading: {
    dossier: string;
    file: string;
    summary: string;
    overview: string;
    scenes: string;
    people: string;
    transcript: string;
    texts: string;
    objects: string;
    moderation: string;
    signals: string;
    loudness: string;
    cost: string;
    models: string;
    notes: string;
    timeline: string;
  };
  label: {
    type: string;
    size: string;
    duration: string;
    picture: string;
    container: string;
    streams: string;
    job: string;
    submitted: string;
    finished: string;
    device: string;
    analysis: string;
    version: string;
    model: string;
    licence: string;
    state: string;
    text: string;
    times: string;
    object: string;
    count: string;
    seen: string;
    total: string;
  };
  signal: Record<'silence' | 'black' | 'freeze', string>;
  outcome: Record<'ok' | 'nothing_found' | 'unsupported_language' | 'skipped' | 'failed', string>;
  scene(number: number): string;
  person(number: number): string;
  speaker(number: number): string;
  unknownSpeaker: string;
  /** One of the texts, or of the stretches, that go on. */
  andMore(count: number): string;
  notRun: string;
  nothing: string;
  /** Sentences of the summary. */
  kindOf: { image: string; audio: string; video: string; unknown: string };
  medium(kind: string, duration: string | null, size: string | null): string;
  partial(reason: string | null): string;
  spoken(duration: string, share: string, languages: string[]): string;
  nothingSpoken: string;
  speakers(count: number, longest: string, share: string): string;
  people(count: number, names: string[]): string;
  scenes(count: number, longest: string): string;
  objects(list: string[]): string;
  texts(count: number, list: string[]): string;
  loudness(lufs: string): string;
  signals(list: string[]): string;
  signalSum(name: string, count: number, duration: string): string;
  review(count: number, list: string[]): string;
  nothingToReview: string;
  reviewItem(category: string, at: string): string;
  picturesLeftOut(shown: number, count: number): string;
  biometric: string;
  made: string;
}
