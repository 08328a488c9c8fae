/** Pictures of text that is known: rendered pages in several fonts, and real print where it can be had. */
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import sharp from 'sharp';
import { testMedia } from '../../tests/media/test-media.ts';
import { npmFiles } from './npm-files.ts';

export interface TextPicture {
  file: string;
  text: string;
  isReal: boolean;
}

export type TextLanguage = 'en' | 'de';

/** Set by hand: with the letters, digits and signs that recognisers confuse. */
const lines: Record<TextLanguage, readonly string[]> = {
  en: [
    'The quick brown fox jumps over the lazy dog',
    'Total price: 42 cents (incl. VAT)',
    "Don't panic, it's only 7.30 am!",
    'Quarterly review 2031: +12.5 %',
    'Visit https://example.org/page?id=7',
    'CLOSED ON SUNDAYS',
  ],
  de: [
    'Grüße aus München, Straße, Öl, 3,50 €',
    'Zwölf Boxkämpfer jagen Viktor über den Sylter Deich',
    'Fußgängerübergänge müssen öffentlich zugänglich bleiben',
    'Ärztlicher Notdienst: Mühlenstraße 12, Köln',
    'ÖFFNUNGSZEITEN: täglich von 9 bis 18 Uhr',
    'Bäcker, Käse, Äpfel, Möhren',
  ],
};

const google = [
  {
    source: {
      name: '@expo-google-fonts/roboto',
      version: '0.4.3',
      sizeBytes: 3_469_055,
      integrity:
        'sha512-kX3wmpmu06fN1yOwYWMdjYJWNUYW6xUiAGeHbvPzzSEb3A3j23JelQ3tAgwQNKgEKRq6wtMmzixy2r7y9c8dsA==',
    },
    file: '400Regular/Roboto_400Regular.ttf',
    family: 'Roboto',
  },
  {
    source: {
      name: '@expo-google-fonts/lora',
      version: '0.4.2',
      sizeBytes: 1_430_770,
      integrity:
        'sha512-Bnofh2mIOUKp4KUS48VjaBgug4lQOcw/ftU0NFv5OPtiutL422//G1v63xDZEMUEL6ft4fi5q94/uKcpDjbPag==',
    },
    file: '400Regular/Lora_400Regular.ttf',
    family: 'Lora',
  },
  {
    source: {
      name: '@expo-google-fonts/caveat',
      version: '0.4.2',
      sizeBytes: 909_317,
      integrity:
        'sha512-kCG35tRUX8Wi+u0Jh5ck3K1u7vZkdLnwRTuKMrEnlVmikvxQFXN1KjF5cL2vqRG7Hwm7648Zl8xe1BWAoIsPCA==',
    },
    file: '400Regular/Caveat_400Regular.ttf',
    family: 'Caveat',
  },
];

const looks = [
  { size: 20, colour: '#ffffff', background: '#20304a' },
  { size: 36, colour: '#141414', background: '#fafafa' },
];

/** Sans, serif and handwriting, dark on light and light on dark: 8 pages of 1280 × 720 for each language. */
export async function renderedPages(language: TextLanguage, folder: string): Promise<TextPicture[]> {
  const media = await testMedia();
  const fonts = [{ family: 'DejaVu Sans', file: path.join(path.dirname(media.png), 'font.ttf') }];
  for (const { source, file, family } of google) {
    const to = path.join(folder, path.basename(file));
    await writeFile(to, (await npmFiles(source, [file])).get(file)!);
    fonts.push({ family, file: to });
  }
  const pages: TextPicture[] = [];
  for (const font of fonts) {
    for (const look of looks) {
      const file = path.join(folder, `${language}-${font.family}-${look.size}.png`);
      await renderPage(file, lines[language], font, look);
      pages.push({ file, text: lines[language].join('\n'), isReal: false });
    }
  }
  return pages;
}

async function renderPage(
  to: string,
  texts: readonly string[],
  font: { family: string; file: string },
  { size, colour, background }: (typeof looks)[number],
): Promise<void> {
  const overlays = await Promise.all(
    texts.map(async (text, index) => ({
      input: await sharp({
        text: {
          text: `<span foreground="${colour}">${text.replaceAll('&', '&amp;')}</span>`,
          ...{ font: `${font.family} ${size}`, fontfile: font.file, rgba: true, dpi: 72 },
        },
      })
        .png()
        .toBuffer(),
      left: 40,
      top: 40 + index * 110,
    })),
  );
  await sharp({ create: { width: 1280, height: 720, channels: 3, background } })
    .composite(overlays)
    .png()
    .toFile(to);
}

const germanPrint = [
  'Dies ist ein Blindtext. An ihm lässt sich',
  'vieles über die Schrift ablesen, in der er ge-',
  'setzt ist. Auf den ersten Blick wird der',
  'Grauwert der Schriftfläche sichtbar. Dann',
  'kann man prüfen, wie gut die Schrift zu',
  'lesen ist und wie sie auf den Leser wirkt.',
].join('\n');

const englishPrint = [
  'technical details are too complex to cover in the book itself.',
  'In teaching our courses, we have found it useful for the students to attempt a number of',
  'small implementation projects, which often build on one another, in order to get them used to',
  'working with real-world images and the challenges that these present. The students are then',
  'asked to choose an individual topic for each of their small-group, final projects. (Sometimes',
  'these projects even turn into conference papers!) The exercises at the end of each chapter',
  'contain numerous suggestions for smaller mid-term projects, as well as more open-ended',
  'problems whose solutions are still active research topics. Wherever possible, I encourage',
  'students to try their algorithms on their own personal photographs, since this better motivates',
  'them, often leads to creative variants on the problems, and better acquaints them with the',
  'variety and complexity of real-world imagery.',
  'In formulating and solving computer vision problems, I have often found it useful to draw',
  'inspiration from three high-level approaches:',
].join('\n');

/** A page of each language that others set; typed off by hand. Null where its package is not there. */
export async function realPage(
  language: TextLanguage,
  folder: string,
  debianRoot: string,
): Promise<TextPicture | null> {
  if (language === 'en') {
    const file = path.join(debianRoot, 'usr/share/doc/opencv-doc/examples/data/imageTextN.png');
    return existsSync(file) ? { file, text: englishPrint, isReal: true } : null;
  }
  const source = {
    name: 'ocrad.js',
    version: '0.0.1',
    sizeBytes: 603_791,
    integrity:
      'sha512-4W8Kcf4ewFJUgEGIBH4FxEgusHPmk0dSzD+CBMaaZeOb1RPM1Rv0+cA177pHDlN2yK8Gelb4KTczxtbQmq+p/w==',
  };
  const name = 'demo_nodejs/test.png';
  const file = path.join(folder, 'german-print.png');
  await writeFile(file, (await npmFiles(source, [name])).get(name)!);
  return { file, text: `${germanPrint}\n${germanPrint}`, isReal: true };
}
