import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { pagePolicy, toDossierPage } from '../../functions/core/results/dossier/page.ts';
import { toDossierText } from '../../functions/core/results/dossier/text.ts';
import type { ResultDocument } from '../../functions/core/results/schema.ts';
import { emptyResult } from './empty-result.ts';

const said = (text: string, startMs: number, speakerId: string | null = null) => ({
  ...{ startMs, endMs: startMs + 2000, text, language: 'en', confidence: 0.5, speakerId, words: [] },
});
const quad: [number, number][] = [
  [0, 0],
  [1, 0],
  [1, 1],
  [0, 1],
];

function film(hostile = ''): ResultDocument {
  const x = (text: string) => text + hostile;
  return {
    ...emptyResult,
    medium: { ...emptyResult.medium, name: x('holiday.mp4'), durationMs: 60_000, width: 640, height: 360 },
    notes: [x('faces: errs at times.')],
    run: {
      ...{ startedAt: '2026-01-01T00:00:00Z', wallMs: 1000, device: x('cpu'), worker: '1', damages: [] },
      medium: null,
      analyzers: [
        {
          ...{ name: x('ocr'), version: x('1'), status: 'ok', reason: null, wallMs: 1 },
          models: [{ id: x('pp-ocr'), version: '4', sha256: '', licence: x('Apache-2.0'), note: null }],
        },
      ],
    },
    transcript: {
      ...{ status: 'ok', language: 'en' },
      segments: [said(x('good morning'), 13_000, x('sp1')), said(x('see you'), 30_000)],
    },
    speakers: [{ speakerId: x('sp1'), totalMs: 2000, cohesion: null, turns: [] }],
    texts: [
      { textId: 't1', text: x('EXIT'), confidence: 1, instances: [{ startMs: 15_000, endMs: 16_000, quad }] },
    ],
    scenes: [
      { sceneId: 's1', startMs: 0, endMs: 12_000, score: null, keyframeMs: 1, thumbnail: 'scenes/s1.webp' },
      {
        sceneId: 's2',
        startMs: 12_000,
        endMs: 60_000,
        score: 0.5,
        keyframeMs: 1,
        thumbnail: x('scenes/s2.webp'),
      },
    ],
    objects: [{ trackId: 'o1', label: x('dog'), startMs: 20_000, endMs: 21_000, confidence: 1, samples: [] }],
    faces: [],
    people: [
      {
        ...{ personId: 'p1', startMs: 14_000, endMs: 15_000, cohesion: null, trackIds: ['f1'] },
        ...{ libraryPersonId: null, name: x('Anna') },
      },
    ],
    moderation: {
      verdict: 'review',
      findings: [{ category: x('nudity'), startMs: 40_000, endMs: 41_000, confidence: 0.5 }],
    },
    signals: [{ signal: 'silence', startMs: 50_000, endMs: 55_000 }],
    loudness: { integratedLufs: -18.2, stepMs: 1000, momentaryLufs: [-20, null, -10], peaks: [1, 0, 1] },
  };
}

const about = { costMicrodollars: 31_200, createdAt: '2026-01-01T00:00:00Z', finishedAt: null };
const dossier = (result: ResultDocument) => ({ result, ...about });

describe('the dossier as text', () => {
  it('has everything on one axis', () => {
    const text = toDossierText(dossier(film()), 'en');
    const axis = text.slice(text.indexOf('Everything in order')).split('\n').slice(2, 12);
    expect(axis).toEqual([
      '00:00:00  Scene 1: 00:00:00 – 00:00:12',
      '00:00:12  Scene 2: 00:00:12 – 00:01:00',
      '00:00:13  Speaker 1: good morning',
      '00:00:14  Anna',
      '00:00:15  Text: EXIT',
      '00:00:20  Object: dog',
      '00:00:30  Speech: see you',
      '00:00:40  To review: nudity',
      '00:00:50  silence: – 00:00:55',
      '',
    ]);
  });

  it('says in sentences what was found, in either language', () => {
    const english = toDossierText(dossier(film()), 'en').replaceAll('\u00a0', ' ');
    for (const sentence of [
      'This is a film of 1:00 min, 640 × 360 pixels.',
      'There is speech for 4 s (7%), in English.',
      '1 person can be seen, among them Anna.',
      'It has 2 scenes; the longest lasts 48 s.',
      'Most often seen: dog (1).',
      'Its loudness is −18.2 LUFS',
      'A person should look at 1 place',
      'Cost: $0.0312',
    ])
      expect(english).toContain(sentence);
    const german = toDossierText(dossier(film()), 'de').replaceAll('\u00a0', ' ');
    for (const sentence of [
      'Das ist ein Film von 1:00 min',
      'auf Englisch',
      'Die Lautheit beträgt −18,2 LUFS',
    ])
      expect(german).toContain(sentence);
  });

  it('says nothing of what was not asked for', () => {
    const text = toDossierText(dossier(emptyResult), 'en');
    for (const word of ['speech', 'voice', 'scene', 'seen', 'read', 'loud', 'look at'])
      expect(text.toLowerCase()).not.toContain(`${word} `);
  });

  it('lets no text begin a line of its own or speak to a terminal', () => {
    const text = toDossierText(dossier(film('\n00:00:01  Forged\u001b[31m\u202e')), 'en');
    expect(text).not.toMatch(/^00:00:01/m);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: that is what is looked for
    expect(text).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u202e]/);
  });
});

describe('the dossier as a page', () => {
  const pictures = new Map([['scenes/s1.webp', 'data:image/webp;base64,AAAA']]);

  it('carries its pictures inside and says how many it leaves out', () => {
    const page = toDossierPage(dossier(film()), pictures, 'en');
    expect(page).toContain('<img src="data:image/webp;base64,AAAA" alt="Scene 1"');
    expect(page).toContain('1 of 2 pictures are shown');
    expect(page).not.toMatch(/(?:src|href|url)\s*[=(]\s*["']?(?!data:)\w+:/);
    expect(toDossierPage(dossier(film()), pictures, 'de')).toContain('<html lang="de">');
  });

  it.each([
    '<script>alert(1)</script>',
    '"><img src=x onerror=alert(1)>',
    "' onload='alert(1)",
    '</title></style><svg onload=alert(1)>',
    '<style>STYLE</style>',
    '&lt;b&gt;\u0000\ud800',
  ])('has no element or attribute that %j could make', (hostile) => {
    const plain = toDossierPage(dossier(film()), pictures, 'en');
    const page = toDossierPage(dossier(film(hostile)), pictures, 'en');
    const shape = (text: string) => text.replace(/>[^<]*/g, '>').replace(/"[^"]*"/g, '""');
    expect(shape(page)).toBe(shape(plain));
    expect(page.isWellFormed()).toBe(true);
  });

  it('may do nothing but show its own style and pictures', () => {
    const page = toDossierPage(dossier(film()), pictures, 'en');
    const style = /<style>([\s\S]*?)<\/style>/.exec(page)![1]!;
    const digest = createHash('sha256').update(style).digest('base64');
    expect(pagePolicy).toBe(
      `default-src 'none'; img-src data:; style-src 'sha256-${digest}'; base-uri 'none'; form-action 'none'`,
    );
    expect(page).toContain(pagePolicy.replaceAll("'", '&#39;'));
    expect(page).not.toMatch(/<script|style="|javascript:/);
  });
});
