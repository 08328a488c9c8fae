/** Recordings whose words are known: from npm, from Debian packages where they are installed, and made ones. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { testMedia } from '../../tests/media/test-media.ts';
import { npmFiles } from './npm-files.ts';

export interface Recording {
  file: string;
  text: string;
}

export interface SpokenSource {
  /** For people: who speaks, and how it came about. */
  name: string;
  recordings: Recording[];
}

/** Part of an address of 1961, out of an npm package that the tests use too. */
export async function presidentsSpeech(): Promise<SpokenSource> {
  const { wav, talkTruth } = await testMedia();
  return {
    name: 'a president in 1961, real',
    recordings: [{ file: wav, text: talkTruth.speech[0]!.text }],
  };
}

/** Five sentences of "Sense and Sensibility", read for LibriVox; null where Debian's pocketsphinx-testdata is not. */
export async function librivox(debianRoot: string): Promise<SpokenSource | null> {
  const folder = path.join(debianRoot, 'usr/share/pocketsphinx/test/data/librivox');
  if (!existsSync(folder)) return null;
  // <s> he was not an ill disposed young man </s> (sense_and_sensibility_01_austen_64kb-0880)
  const lines = (await readFile(path.join(folder, 'transcription'), 'utf8')).matchAll(
    /<s> (.*?) <\/s> \(([\w-]+)\)/g,
  );
  return {
    name: 'LibriVox, a novel read aloud, real',
    recordings: [...lines].map(([, text, name]) => ({
      text: text!,
      file: path.join(folder, `${name}.wav`),
    })),
  };
}

/** eSpeak compiled to JavaScript; not installed. */
const mespeak = {
  name: 'mespeak',
  version: '2.0.2',
  sizeBytes: 1_659_986,
  integrity:
    'sha512-vrSqilK/IXXpgPqyFQjuJLqwO6TYgVXd84hGj76F1jQ/DEBna4wjSntyTz/zlaH/6oJm8cRj50AkpKcLzQiuxQ==',
};

const germanSentences = [
  'Guten Morgen, wie spät ist es heute in München?',
  'Der Zug nach Hamburg fährt pünktlich von Gleis sieben ab.',
  'Können Sie mir bitte sagen, wo der nächste Bahnhof ist?',
  'Wir haben das neue Gerät gestern im Geschäft gekauft.',
  'Die Straße ist wegen eines Unfalls für einige Stunden gesperrt.',
  'Am Wochenende wird es kühler, und im Süden fällt etwas Regen.',
  'Meine Schwester arbeitet seit drei Jahren in einem großen Krankenhaus.',
  'Bitte schließen Sie das Fenster, denn es ist sehr kalt geworden.',
  'Nach dem Essen gehen wir zusammen durch den alten Park spazieren.',
  'Das Buch liegt auf dem Tisch neben der grünen Lampe.',
];

/** Run in a process of its own: it is other people's code, and it is talkative. */
const speakAll = `
const [home, ...texts] = process.argv.slice(1);
const machine = require(home + '/index.js');
machine.loadConfig(require(home + '/mespeak_config.json'));
machine.loadVoice(require(home + '/de.json'));
texts.forEach((text, index) => {
  const wav = machine.speak(text, { rawdata: 'buffer', voice: 'de', speed: 140 });
  require('node:fs').writeFileSync(home + '/' + index + '.wav', wav);
});
`;

/** Ten sentences in a machine's voice: no package was found that holds people speaking German with their words. */
export async function germanMachine(folder: string): Promise<SpokenSource> {
  const files = ['src/index.js', 'src/ESpeak.js', 'src/mespeak_config.json', 'voices/de.json'];
  const home = await mkdtemp(path.join(folder, 'mespeak-'));
  for (const [name, content] of await npmFiles(mespeak, files)) {
    await writeFile(path.join(home, path.basename(name)), content);
  }
  // Without it Node would take the format from a package.json further up.
  await writeFile(path.join(home, 'package.json'), '{"type":"commonjs"}');
  const given = ['--no-deprecation', '-e', speakAll, home, ...germanSentences];
  await promisify(execFile)(process.execPath, given, { cwd: home, env: {} });
  return {
    name: "eSpeak, a machine's voice and no people: it tells whether a change made German worse, not how well people are understood",
    recordings: germanSentences.map((text, index) => ({ text, file: path.join(home, `${index}.wav`) })),
  };
}
