import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { toCsv } from '../../functions/core/results/csv.ts';
import { emptyResult } from './empty-result.ts';

/** Reads a table as RFC 4180 says. */
function readCsv(csv: string): string[][] {
  const rows: string[][] = [[]];
  const field = /(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r\n|$)/y;
  while (field.lastIndex < csv.length) {
    const [, quoted, plain, end] = field.exec(csv)!;
    rows.at(-1)!.push(quoted?.replaceAll('""', '"') ?? plain!);
    if (end === '\r\n') rows.push([]);
  }
  return rows.filter((row) => row.length > 0);
}

const said = (text: string, startMs = 0) => ({
  startMs,
  endMs: startMs + 1,
  text,
  language: 'en',
  confidence: 0.5,
  speakerId: null,
  words: [],
});

const transcript = (segments: ReturnType<typeof said>[]) => ({ status: 'ok', language: 'en', segments });

describe('the table of findings', () => {
  it('has a row for each finding, in order of time', () => {
    const csv = toCsv({
      ...emptyResult,
      transcript: transcript([said('hello', 500)]),
      scenes: [{ sceneId: 's1', startMs: 0, endMs: 900, score: null, keyframeMs: 400, thumbnail: null }],
      objects: [
        {
          trackId: 'o1',
          label: 'dog',
          startMs: 100,
          endMs: 200,
          confidence: 0.9,
          samples: [{ tMs: 100, box: { x: 0.1, y: 0.2, w: 0.3, h: 0.4 }, confidence: 0.9 }],
        },
      ],
      texts: [
        {
          textId: 't1',
          text: 'EXIT',
          confidence: 1,
          instances: [
            {
              startMs: 700,
              endMs: 800,
              quad: [
                [0.5, 0.25],
                [0.75, 0.25],
                [0.75, 0.5],
                [0.5, 0.5],
              ],
            },
            {
              startMs: 50,
              endMs: 60,
              quad: [
                [0, 0],
                [1, 0],
                [1, 1],
                [0, 1],
              ],
            },
          ],
        },
      ],
      faces: [
        {
          trackId: 'f1',
          personId: 'p1',
          startMs: 300,
          endMs: 400,
          confidence: 0.8,
          samples: [],
          thumbnail: null,
        },
      ],
    });
    expect(readCsv(csv)).toEqual([
      ['startMs', 'endMs', 'kind', 'id', 'text', 'confidence', 'x', 'y', 'w', 'h'],
      ['0', '900', 'scene', 's1', '', '', '', '', '', ''],
      ['50', '60', 'text', 't1', 'EXIT', '1', '0', '0', '1', '1'],
      ['100', '200', 'object', 'o1', 'dog', '0.9', '0.1', '0.2', '0.3', '0.4'],
      ['300', '400', 'face', 'f1', 'p1', '0.8', '', '', '', ''],
      ['500', '501', 'speech', '', 'hello', '0.5', '', '', '', ''],
      ['700', '800', 'text', 't1', 'EXIT', '1', '0.5', '0.25', '0.25', '0.25'],
    ]);
  });

  it('can be read back, whatever was said', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'binary' })), (texts) => {
        const rows = readCsv(
          toCsv({ ...emptyResult, transcript: transcript(texts.map((text) => said(text))) }),
        );
        expect(rows.slice(1).map((row) => row[4]!.replace(/^'(?=[=+\-@\t\r\n＝＋－＠])/, ''))).toEqual(texts);
      }),
    );
  });

  it.each(['=1+1', '+1', '-1', '@x', '\t=1', '\r=1', '\n=1', '＝1'])('lets no spreadsheet run %j', (text) => {
    const [, row] = readCsv(toCsv({ ...emptyResult, transcript: transcript([said(text)]) }));
    expect(row![4]).toBe(`'${text}`);
  });

  it('keeps text together where other signs separate columns', () => {
    expect(toCsv({ ...emptyResult, transcript: transcript([said('a;=cmd')]) })).toContain(',"a;=cmd",');
  });

  it('is only a header where nothing was found', () => {
    expect(toCsv(emptyResult)).toBe('startMs,endMs,kind,id,text,confidence,x,y,w,h\r\n');
  });
});

it('has voices, places to review and silence in the table too', () => {
  const rows = readCsv(
    toCsv({
      ...emptyResult,
      speakers: [{ speakerId: 'sp1', totalMs: 5, cohesion: 0.8, turns: [{ startMs: 5, endMs: 10 }] }],
      moderation: {
        verdict: 'review',
        findings: [{ category: 'nudity', startMs: 7, endMs: 8, confidence: 0.6 }],
      },
      signals: [{ signal: 'silence', startMs: 0, endMs: 4 }],
    }),
  );
  expect(rows.slice(1).map((row) => row.slice(0, 6))).toEqual([
    ['0', '4', 'signal', '', 'silence', ''],
    ['5', '10', 'voice', 'sp1', '', '0.8'],
    ['7', '8', 'moderation', '', 'nudity', '0.6'],
  ]);
});
