/** Who spoke when, by `speakers`, in a talk that is put together of recordings of different people. */
import path from 'node:path';
import { FF_ENCODER_FLAC } from 'node-av/constants';
import { analyzers } from '../../gpu-worker/analyzers/index.ts';
import { encode } from '../../tests/media/encode.ts';
import type { Measure } from './figures.ts';
import { diarizationErrorRate, type Turn } from './speaking.ts';
import { TALK_RATE, talkOf } from './talk.ts';

export const speakers: Measure = {
  analyzer: 'speakers',
  async run(kit) {
    if (!analyzers.some(({ name }) => name === 'speakers')) return [];
    const talk = await talkOf(kit.debianRoot);
    if (!talk) {
      kit.skip(
        'speaker_der is not measured: it needs the Debian package pocketsphinx-testdata or asterisk-core-sounds-en-wav.',
      );
      return [];
    }
    const file = path.join(kit.folder, 'talk.flac');
    await encode(file, { sound: { codec: FF_ENCODER_FLAC, samples: talk.samples, sampleRate: TALK_RATE } });
    const { rows, models } = await kit.analyze('speakers', file);
    const names = new Map<string, string>();
    for (const row of rows) {
      if (row.kind === 'speaker') for (const turnId of row.turnIds) names.set(turnId, row.speakerId);
    }
    const found = rows.flatMap((row): Turn[] =>
      row.kind === 'voice'
        ? [{ speaker: names.get(row.turnId) ?? row.turnId, startMs: row.startMs, endMs: row.endMs }]
        : [],
    );
    const people = new Set(talk.turns.map(({ speaker }) => speaker)).size;
    return [
      {
        name: 'speaker_der',
        value: diarizationErrorRate(found, talk.turns),
        better: 'lower',
        over: `${people} people in ${talk.turns.length} turns that never overlap, each recorded apart, which makes it easier`,
        models,
      },
    ];
  },
};
