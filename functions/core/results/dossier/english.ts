import type { Wording } from './wording.ts';

const list = new Intl.ListFormat('en');
const some = (count: number, one: string, many = `${one}s`) => `${count} ${count === 1 ? one : many}`;

export const english: Wording = {
  language: 'en',
  heading: {
    dossier: 'Dossier',
    file: 'The file',
    summary: 'Summary',
    overview: 'At a glance',
    scenes: 'Scenes',
    people: 'People',
    transcript: 'What was said',
    texts: 'Text in the picture',
    objects: 'Objects',
    moderation: 'To review',
    signals: 'Nothing to hear or see',
    loudness: 'Loudness',
    cost: 'Cost',
    models: 'Analyses and models',
    notes: 'What to know of the quality',
    timeline: 'Everything in order of time',
  },
  label: {
    type: 'Type',
    size: 'Size',
    duration: 'Duration',
    picture: 'Picture',
    container: 'Container',
    streams: 'Streams',
    job: 'Job',
    submitted: 'Submitted',
    finished: 'Finished',
    device: 'Analysed on',
    analysis: 'Analysis',
    version: 'Version',
    model: 'Model',
    licence: 'Licence',
    state: 'Outcome',
    text: 'Text',
    times: 'When',
    object: 'Object',
    count: 'Tracks',
    seen: 'Seen',
    total: 'In all',
  },
  signal: { silence: 'silence', black: 'black picture', freeze: 'frozen picture' },
  outcome: {
    ok: 'done',
    nothing_found: 'nothing found',
    unsupported_language: 'language not supported',
    skipped: 'skipped',
    failed: 'failed',
  },
  scene: (number) => `Scene ${number}`,
  person: (number) => `Person ${number}`,
  speaker: (number) => `Speaker ${number}`,
  unknownSpeaker: 'Speech',
  andMore: (count) => `and ${count} more`,
  notRun: 'This was not asked for, or did not run.',
  nothing: 'Nothing was found.',
  kindOf: { image: 'a picture', audio: 'a sound recording', video: 'a film', unknown: 'a file' },
  medium: (kind, duration, size) =>
    `This is ${kind}${duration === null ? '' : ` of ${duration}`}${size === null ? '' : `, ${size} pixels`}.`,
  partial: (reason) =>
    `The result is not complete: what is here is right, but not all.${reason === null ? '' : ` ${reason}`}`,
  spoken: (duration, share, languages) =>
    `There is speech for ${duration} (${share})${languages.length > 0 ? `, in ${list.format(languages)}` : ''}.`,
  nothingSpoken: 'No speech was found.',
  speakers: (count, longest, share) =>
    `${some(count, 'voice')} can be told apart${count > 1 ? `; ${longest} speaks the most (${share} of the speech)` : ''}.`,
  people: (count, names) =>
    `${some(count, 'person', 'people')} can be seen${names.length > 0 ? `, among them ${list.format(names)}` : ''}.`,
  scenes: (count, longest) =>
    count === 1
      ? 'It is a single scene without cuts.'
      : `It has ${some(count, 'scene')}; the longest lasts ${longest}.`,
  objects: (items) => `Most often seen: ${list.format(items)}.`,
  texts: (count, items) =>
    `${some(count, 'text')} can be read in the picture, such as ${list.format(items)}.`,
  loudness: (lufs) => `Its loudness is ${lufs} LUFS (ITU-R BS.1770).`,
  signals: (items) => `It has ${list.format(items)}.`,
  signalSum: (name, count, duration) => `${name} (${some(count, 'time')}, ${duration} in all)`,
  review: (count, items) =>
    `A person should look at ${some(count, 'place')} before it is shown to others: ${list.format(items)}.`,
  nothingToReview: 'Nothing was found that a person should look at before it is shown to others.',
  reviewItem: (category, at) => `${category} at ${at}`,
  picturesLeftOut: (shown, count) =>
    `${shown} of ${count} pictures are shown; the others can be opened in the web interface.`,
  biometric:
    'Faces were grouped by their likeness. This says who looks alike within the material, not who somebody is.',
  made: 'Made by machines: names, texts and findings may be wrong and should be checked before they are relied on.',
};
