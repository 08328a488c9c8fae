import { describe, expect, it } from 'vitest';
import { joinSignals, loudnessOf } from '../../functions/core/results/join.ts';
import { joinLoudness } from '../../functions/core/results/loudness.ts';
import { highPassAt, KWeighting, shelfAt } from '../../gpu-worker/analyzers/signals/k-weighting.ts';
import { type Film, type Found, findSignals, inARow, shown, silence, stepsOf, tone } from './signals-film.ts';
import { noise } from './sound-analysis.ts';

const moving = (fromMs: number, toMs: number) => shown(fromMs, toMs, (i) => 60 + ((i * 7) % 90));
const still = (fromMs: number, toMs: number, grey: number) => shown(fromMs, toMs, () => grey);

/** What was found, as [what, from, to]. */
const stretches = ({ rows }: Pick<Found, 'rows'>) =>
  joinSignals(rows).map(({ signal, startMs, endMs }) => [signal, startMs, endMs]);

const loudness = (found: Pick<Found, 'rows'>) => joinLoudness(loudnessOf(found.rows))!;

describe('K-weighting', () => {
  it('has the coefficients of ITU-R BS.1770-5 at 48 kHz', () => {
    const shelf = shelfAt(48_000);
    const highPass = highPassAt(48_000);
    const table = [
      1.53512485958697, -2.69169618940638, 1.19839281085285, -1.69065929318241, 0.73248077421585,
    ];
    [...shelf.b, ...shelf.a].forEach((value, index) => {
      expect(value).toBeCloseTo(table[index]!, 12);
    });
    [...highPass.b, ...highPass.a].forEach((value, index) => {
      expect(value).toBeCloseTo([1, -2, 1, -1.99004745483398, 0.99007225036621][index]!, 12);
    });
  });

  it('has at 16 kHz the response that it has at 48 kHz', () => {
    for (const hz of [30, 60, 100, 400, 997, 2000, 4000, 7000]) {
      const levels = [16_000, 48_000].map((rate) => {
        const sine = Float32Array.from({ length: rate }, (_, i) => Math.sin((2 * Math.PI * hz * i) / rate));
        const filter = new KWeighting(rate);
        filter.energyOf(sine, 0, rate / 2);
        return 10 * Math.log10(filter.energyOf(sine, rate / 2, rate) / (rate / 2));
      });
      expect(Math.abs(levels[0]! - levels[1]!)).toBeLessThan(0.07);
    }
  });
});

describe('loudness', () => {
  it('of a sine at full scale is -3.01 LUFS, and as much less as it is quieter', async () => {
    for (const dbfs of [0, -20, -40]) {
      const { rows } = await findSignals({ durationMs: 5000, sound: tone(5000, dbfs) });
      expect(Math.abs(loudness({ rows }).integratedLufs! - (-3.01 + dbfs))).toBeLessThan(0.11);
      expect(stepsOf({ rows }).peaks.at(-1)).toBeCloseTo(10 ** (dbfs / 20), 2);
    }
  });

  it('of the whole leaves out what is much quieter (EBU Tech 3341, cases 3 and 4)', async () => {
    const [quiet, loud] = [tone(10_000, -33), tone(60_000, -20)];
    const three = { durationMs: 80_000, sound: inARow(quiet, loud, quiet) };
    expect(Math.abs(loudness(await findSignals(three)).integratedLufs! + 23)).toBeLessThan(0.11);
    const hush = tone(10_000, -69);
    const five = { durationMs: 100_000, sound: inARow(hush, quiet, loud, quiet, hush) };
    expect(Math.abs(loudness(await findSignals(five)).integratedLufs! + 23)).toBeLessThan(0.11);
  });

  it('begins when 400 ms were heard, and is null where it is silent', async () => {
    const sound = inARow(tone(1000, -20), silence(1050));
    const { rows, outcome } = await findSignals({ durationMs: 2050, sound });
    const { momentaryLufs, peaks } = stepsOf({ rows });
    expect(momentaryLufs).toHaveLength(21);
    expect(momentaryLufs.slice(0, 3)).toEqual([null, null, null]);
    expect(momentaryLufs[3]).toBeCloseTo(-23, 0);
    // 100 ms of tone are left in the block that ends at 1.3 s: 6 LU less.
    expect(momentaryLufs[12]).toBeCloseTo(momentaryLufs[9]! - 6.02, 0);
    expect(momentaryLufs.slice(14)).toEqual(new Array(7).fill(null));
    expect(peaks.slice(10)).toEqual(new Array(11).fill(0));
    expect(rows.at(-1)).toMatchObject({ kind: 'loudness', startMs: 0, endMs: 2050, stepMs: 100 });
    expect(outcome).toEqual({ status: 'ok', reason: null });
  });

  it('of sound that begins later is where it is', async () => {
    const found = await findSignals({ durationMs: 4000, sound: tone(3000, -20), soundFromMs: 730 });
    const [row] = loudnessOf(found.rows);
    expect(row).toMatchObject({ startMs: 700, endMs: 3730 });
    // The first whole block is that from 800 to 1200.
    expect(row!.momentaryLufs.findIndex((lufs) => lufs !== null)).toBe(4);
  });

  it('is not lost to samples that are none', async () => {
    const sound = tone(6000, -20);
    sound.set([Number.NaN, Number.POSITIVE_INFINITY, -3e38, 1e20], 16_000);
    const { momentaryLufs, peaks } = stepsOf(await findSignals({ durationMs: 6000, sound }));
    expect(momentaryLufs.slice(20)).toHaveLength(40);
    for (const lufs of momentaryLufs.slice(20)) expect(lufs).toBeCloseTo(-23, 0);
    expect(Math.max(...peaks)).toBe(1);
  });
});

describe('silence', () => {
  it('is what stays below -60 dB for 2 s', async () => {
    const hiss = noise(3000, 0.0009);
    const sound = inARow(tone(1000, -20), hiss, tone(1000, -50), silence(1990), tone(1010, -20));
    const found = await findSignals({ durationMs: 8000, sound });
    // A sine ends a little before it is cut off, and begins a little after.
    const [[signal, startMs, endMs] = [], ...others] = stretches(found);
    expect([signal, Math.round(Number(startMs) / 10), Math.round(Number(endMs) / 10)]).toEqual([
      'silence',
      100,
      400,
    ]);
    expect(others).toEqual([]);
  });

  it('is not what lies before and behind the sound', async () => {
    const film = {
      durationMs: 20_000,
      pictures: moving(0, 20_000),
      sound: tone(4000, -20),
      soundFromMs: 8000,
    };
    expect(stretches(await findSignals(film))).toEqual([]);
  });
});

describe('pictures', () => {
  it('are black where 98 % of them are, for 2 s', async () => {
    const speckled = (share: number) => (pixel: number) =>
      (Math.floor(pixel / 2) * 37) % 100 < share ? 200 : (pixel * 7) % 20;
    const film: Film = {
      durationMs: 15_000,
      pictures: [
        ...moving(0, 3000),
        ...shown(3000, 6000, (i) => (i % 2 === 0 ? speckled(1) : 25)),
        ...moving(6000, 8000),
        ...shown(8000, 11_000, (i) => (i % 2 === 0 ? speckled(4) : 25)),
        ...moving(11_000, 12_000),
        ...shown(12_000, 13_900, (i) => i % 20),
        ...moving(13_900, 15_000),
      ],
    };
    expect(stretches(await findSignals(film))).toEqual([['black', 3000, 6000]]);
  });

  it('stand still where they do, and not where they change slowly', async () => {
    const film: Film = {
      durationMs: 16_000,
      pictures: [
        ...moving(0, 2000),
        // Noise that averages less than a quarter of a level.
        ...shown(2000, 5000, (i) => (pixel) => 120 + ((pixel + i) % 9 === 0 ? 1 : 0)),
        ...still(5000, 8000, 90),
        // A fade of a level each second.
        ...shown(8000, 14_000, (i) => 100 + Math.floor(i / 10)),
        ...still(14_000, 15_900, 10),
        ...moving(15_900, 16_000),
      ],
    };
    expect(stretches(await findSignals(film))).toEqual([
      ['freeze', 2000, 4999],
      ['freeze', 5000, 7999],
    ]);
  });

  it('stand still until the next one comes, and the last to the end', async () => {
    const pictures = [0, 500, 4000, 4500, 5000].map((tMs, i) => ({ tMs, grey: 50 * (i + 1) }));
    expect(stretches(await findSignals({ durationMs: 9000, pictures, sound: tone(9000, -20) }))).toEqual([
      ['freeze', 500, 3999],
      ['freeze', 5000, 9000],
    ]);
  });

  it('that are black and stand still are both', async () => {
    const pictures = [...still(0, 3000, 0), ...moving(3000, 4000)];
    expect(stretches(await findSignals({ durationMs: 4000, pictures }))).toEqual([
      ['black', 0, 3000],
      ['freeze', 0, 2999],
    ]);
  });

  it('in which there is nothing of the kind are nothing found', async () => {
    const found = await findSignals({ durationMs: 5000, pictures: moving(0, 5000) });
    expect(found).toMatchObject({ rows: [], outcome: { status: 'nothing_found', reason: null } });
  });
});

describe('parts', () => {
  const sound = inARow(
    ...[noise(7300, 0.2), silence(6400), noise(3000, 0.05), silence(1900), noise(900, 0.3)],
    ...[silence(2400), tone(5100, -12), noise(3017, 0.02)],
  );
  const film: Film = {
    durationMs: 30_500,
    sound,
    pictures: [
      ...moving(0, 4000),
      ...shown(4000, 9500, (i) => 5 + (i % 15)),
      ...still(9500, 15_000, 80),
      ...still(15_000, 17_000, 140),
      ...moving(17_000, 25_300),
      ...still(25_300, 30_000, 0),
      ...moving(30_000, 30_500),
    ],
  };

  it('in whatever number give what one gives', async () => {
    const whole = await findSignals(film, { partMs: 60_000 });
    expect(stretches(whole).map(([signal]) => signal)).toEqual([
      'black',
      'silence',
      'freeze',
      'freeze',
      'silence',
      'black',
      'freeze',
    ]);
    for (const partMs of [500, 1500, 4000, 10_000]) {
      const found = await findSignals(film, { partMs });
      expect(stretches(found)).toEqual(stretches(whole));
      expect(stepsOf(found)).toEqual(stepsOf(whole));
    }
  });

  it('are final: whoever goes on at any of them finds the same', async () => {
    const whole = await findSignals(film, { partMs: 60_000 });
    const { parts } = await findSignals(film, { partMs: 1000 });
    for (const stopAtMs of new Set(parts.slice(0, -1))) {
      const before = await findSignals(film, { partMs: 1000, stopAtMs });
      const rest = await findSignals(film, { partMs: 4000, after: before });
      const both = { rows: [...before.rows, ...rest.rows] };
      expect(stretches(both)).toEqual(stretches(whole));
      expect(stepsOf(both)).toEqual(stepsOf(whole));
      expect(loudnessOf(both.rows).at(-1)!.endMs).toBe(30_017);
    }
  });

  it('come while a stretch lasts, and hold nothing back for long', async () => {
    const long = { durationMs: 60_000, pictures: still(0, 60_000, 0), sound: silence(60_000) };
    const { parts, rows } = await findSignals(long, { partMs: 5000 });
    expect(parts).toEqual([
      4500, 9500, 14_500, 19_500, 24_500, 29_500, 34_500, 39_500, 44_500, 49_500, 54_500, 60_000,
    ]);
    expect(stretches({ rows })).toEqual([
      ['silence', 0, 60_000],
      ['black', 0, 60_000],
      ['freeze', 0, 60_000],
    ]);
  });
});
