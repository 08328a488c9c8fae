import type { Wording } from './wording.ts';

const list = new Intl.ListFormat('de');
const some = (count: number, one: string, many: string) => `${count} ${count === 1 ? one : many}`;

export const german: Wording = {
  language: 'de',
  heading: {
    dossier: 'Dossier',
    file: 'Die Datei',
    summary: 'Zusammenfassung',
    overview: 'Auf einen Blick',
    scenes: 'Szenen',
    people: 'Personen',
    transcript: 'Was gesagt wurde',
    texts: 'Text im Bild',
    objects: 'Gegenstände',
    moderation: 'Zu prüfen',
    signals: 'Nichts zu hören, zu sehen',
    loudness: 'Lautheit',
    cost: 'Kosten',
    models: 'Analysen und Modelle',
    notes: 'Was man zur Güte wissen muss',
    timeline: 'Alles in der Folge der Zeit',
  },
  label: {
    type: 'Typ',
    size: 'Größe',
    duration: 'Dauer',
    picture: 'Bild',
    container: 'Container',
    streams: 'Spuren',
    job: 'Auftrag',
    submitted: 'Eingereicht',
    finished: 'Fertig',
    device: 'Analysiert auf',
    analysis: 'Analyse',
    version: 'Version',
    model: 'Modell',
    licence: 'Lizenz',
    state: 'Ausgang',
    text: 'Text',
    times: 'Wann',
    object: 'Gegenstand',
    count: 'Spuren',
    seen: 'Zu sehen',
    total: 'Insgesamt',
  },
  signal: { silence: 'Stille', black: 'Schwarzbild', freeze: 'Standbild' },
  outcome: {
    ok: 'fertig',
    nothing_found: 'nichts gefunden',
    unsupported_language: 'Sprache nicht unterstützt',
    skipped: 'ausgelassen',
    failed: 'fehlgeschlagen',
  },
  scene: (number) => `Szene ${number}`,
  person: (number) => `Person ${number}`,
  speaker: (number) => `Stimme ${number}`,
  unknownSpeaker: 'Sprache',
  andMore: (count) => `und ${count} weitere`,
  notRun: 'Das war nicht verlangt oder lief nicht.',
  nothing: 'Es wurde nichts gefunden.',
  kindOf: { image: 'ein Bild', audio: 'eine Tonaufnahme', video: 'ein Film', unknown: 'eine Datei' },
  medium: (kind, duration, size) =>
    `Das ist ${kind}${duration === null ? '' : ` von ${duration}`}${size === null ? '' : `, ${size} Bildpunkte`}.`,
  partial: (reason) =>
    `Das Ergebnis ist nicht vollständig: Was hier steht, stimmt, ist aber nicht alles.${reason === null ? '' : ` ${reason}`}`,
  spoken: (duration, share, languages) =>
    `Gesprochen wird ${duration} lang (${share})${languages.length > 0 ? `, auf ${list.format(languages)}` : ''}.`,
  nothingSpoken: 'Es wurde keine Sprache gefunden.',
  speakers: (count, longest, share) =>
    `${some(count, 'Stimme lässt', 'Stimmen lassen')} sich unterscheiden${count > 1 ? `; am meisten spricht ${longest} (${share} der Sprache)` : ''}.`,
  people: (count, names) =>
    `${some(count, 'Person ist', 'Personen sind')} zu sehen${names.length > 0 ? `, darunter ${list.format(names)}` : ''}.`,
  scenes: (count, longest) =>
    count === 1
      ? 'Es ist eine einzige Szene ohne Schnitt.'
      : `Er hat ${count} Szenen; die längste dauert ${longest}.`,
  objects: (items) => `Am häufigsten zu sehen: ${list.format(items)}.`,
  texts: (count, items) =>
    `${some(count, 'Text ist', 'Texte sind')} im Bild zu lesen, etwa ${list.format(items)}.`,
  loudness: (lufs) => `Die Lautheit beträgt ${lufs} LUFS (ITU-R BS.1770).`,
  signals: (items) => `Darin gibt es ${list.format(items)}.`,
  signalSum: (name, count, duration) => `${name} (${count}-mal, zusammen ${duration})`,
  review: (count, items) =>
    `${count === 1 ? 'Eine Stelle sollte' : `${count} Stellen sollte`} ein Mensch ansehen, bevor andere sie sehen: ${list.format(items)}.`,
  nothingToReview: 'Es wurde nichts gefunden, das ein Mensch ansehen sollte, bevor andere es sehen.',
  reviewItem: (category, at) => `${category} bei ${at}`,
  picturesLeftOut: (shown, count) =>
    `${shown} von ${count} Bildern sind zu sehen; die anderen zeigt die Weboberfläche.`,
  biometric:
    'Gesichter wurden nach ihrer Ähnlichkeit gruppiert. Das sagt, wer sich im Material gleicht, nicht, wer jemand ist.',
  made: 'Von Maschinen gemacht: Namen, Texte und Funde können falsch sein und gehören geprüft, bevor man sich auf sie verlässt.',
};
