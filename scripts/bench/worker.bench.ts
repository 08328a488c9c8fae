/**
 * The worker on this machine's CPU: a talk of a minute (tests/media/talk.ts) through each analyzer and
 * through all of them at once, from one decode. `rtf` is time taken over time of the film, models
 * opened before; medians.
 *
 *   npm run bench -- worker 3           passes of each
 *   npm run bench -- worker 3 scenes    of these analyzers only
 */
import { availableParallelism, cpus, totalmem } from 'node:os';
import { modelsOf } from '../../gpu-worker/analyzers/analyzer.ts';
import { analyzers } from '../../gpu-worker/analyzers/index.ts';
import { modelsDir } from '../../gpu-worker/models/model-folder.ts';
import { hasPip } from '../../gpu-worker/models/pip.ts';
import { testMedia } from '../../tests/media/test-media.ts';
import { figure, percentile } from './figures.ts';
import { ffmpegScenes } from './worker/ffmpeg-scenes.ts';
import { runPass } from './worker/run-pass.ts';
import { bareVosk, fasterWhisper } from './worker/speech-peers.ts';

/** Two detectors' cuts are the same where they are not further apart: two frames of the film. */
const sameCutMs = 80;

const median = (values: number[]) => percentile(values, 0.5);

export async function run([passes = '3', ...only]: string[]): Promise<void> {
  const threads = availableParallelism();
  const gigabytes = Math.round(totalmem() / 2 ** 30);
  console.log(
    `machine: ${cpus()[0]?.model}, ${threads} threads, ${gigabytes} GB, ${process.platform}, Node ${process.version}`,
  );
  const media = await testMedia();
  const film = media.talk;
  const { durationMs } = media.talkTruth;
  const wanted = analyzers
    .filter(({ name, kinds }) => kinds.includes('video') && (only.length === 0 || only.includes(name)))
    .map(({ name }) => name);

  const wallMs = new Map<string, number>();
  let cutsMs: number[] = [];
  for (const name of wanted) {
    const result = await runPass(film, Number(passes), [name]).catch((error: Error) => error);
    if (result instanceof Error) {
      console.log(`${name} is left out: ${result.message}`);
      continue;
    }
    for (const sentence of result.failed) console.log(`failed: ${sentence}`);
    wallMs.set(name, median(result.wallMs));
    figure(`rtf_${name}`, median(result.wallMs) / durationMs);
    figure(`worker_peak_rss_mb_${name}`, result.peakRssMb);
    if (name === 'scenes') cutsMs = result.cutsMs;
  }
  const all = await runPass(film, Number(passes), [...wallMs.keys()]);
  const passMs = median(all.wallMs);
  figure('rtf_pass', passMs / durationMs);
  figure('worker_peak_rss_mb', all.peakRssMb);
  figure('pass_vs_sum', passMs / [...wallMs.values()].reduce((sum, ms) => sum + ms, 0));

  const scenesMs = wallMs.get('scenes');
  if (scenesMs !== undefined)
    await compareScenes(film, threads, Number(passes), { wallMs: scenesMs, cutsMs });
  const transcribeMs = wallMs.get('transcribe');
  if (transcribeMs !== undefined) await compareSpeech(film, threads, transcribeMs);
}

async function compareScenes(
  film: string,
  threads: number,
  passes: number,
  ours: { wallMs: number; cutsMs: number[] },
): Promise<void> {
  const theirs = [];
  for (let n = 0; n < passes; n++) {
    const found = await ffmpegScenes(film, threads);
    if (!found) return console.log('scenes_vs_ffmpeg is left out: ffmpeg is not installed');
    theirs.push(found);
  }
  figure('scenes_vs_ffmpeg', ours.wallMs / median(theirs.map(({ wallMs }) => wallMs)));
  const { cutsMs } = theirs[0]!;
  const isSame =
    cutsMs.length === ours.cutsMs.length &&
    cutsMs.every((cut, index) => Math.abs(cut - ours.cutsMs[index]!) <= sameCutMs);
  console.log(
    isSame
      ? `the same ${cutsMs.length} cuts as ffmpeg`
      : `cuts, ours: ${ours.cutsMs.join(' ')} ms; ffmpeg: ${cutsMs.join(' ')} ms`,
  );
}

async function compareSpeech(film: string, threads: number, oursMs: number): Promise<void> {
  const transcribe = analyzers.find(({ name }) => name === 'transcribe')!;
  const hasVosk = modelsOf(transcribe, { tier: 'packaged', hasPip: await hasPip() }).includes('vosk-en');
  const theirs = hasVosk ? await bareVosk(film, modelsDir(process.env)) : await fasterWhisper(film, threads);
  if (typeof theirs === 'string') console.log(`transcribe_vs_peer is left out: ${theirs}`);
  else {
    console.log(`transcribe beside ${hasVosk ? 'libvosk' : 'faster-whisper'}`);
    figure('transcribe_vs_peer', oursMs / theirs);
  }
}
