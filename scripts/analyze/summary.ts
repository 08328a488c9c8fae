/** What was found in a medium, for reading in a terminal. Pure. */
import type { ResultDocument } from '../../functions/core/results/schema.ts';
import type { Job } from './api.ts';

export function summary(job: Job, result: ResultDocument): string {
  const { medium } = result;
  const facts = [
    medium.kind,
    medium.durationMs ? clock(medium.durationMs) : null,
    medium.width ? `${medium.width}×${medium.height}` : null,
    result.run ? `analysed in ${(result.run.wallMs / 1000).toFixed(1)} s` : null,
  ];
  const sections = [
    `${medium.name}: ${job.state}${result.status === 'partial' ? ' (partial result)' : ''}`,
    facts.filter(Boolean).join(', '),
    ...(job.error ? [job.error.detail ?? job.error.code] : []),
    ...transcript(result),
    ...texts(result),
    ...scenes(result),
    ...things(result),
    ...people(result),
    ...sound(result),
    ...moderation(result),
    ...result.notes.map((note) => `Note: ${note}`),
  ];
  return sections.join('\n');
}

function transcript({ transcript }: ResultDocument): string[] {
  if (!transcript) return [];
  if (transcript.segments.length === 0) return ['', 'Speech: none'];
  const language = transcript.language ? ` (${transcript.language})` : '';
  const lines = transcript.segments.map(
    ({ startMs, speakerId, text }) => `  ${clock(startMs)}  ${speakerId ? `${speakerId}: ` : ''}${text}`,
  );
  return ['', `Speech${language}`, ...lines];
}

function texts({ texts }: ResultDocument): string[] {
  if (!texts) return [];
  if (texts.length === 0) return ['', 'Text in the picture: none'];
  return ['', 'Text in the picture', ...texts.map((one) => `  ${spans(one.instances)}  ${one.text}`)];
}

function scenes({ scenes, medium }: ResultDocument): string[] {
  if (!scenes || medium.kind !== 'video') return [];
  return ['', 'Scenes', ...scenes.map((one) => `  ${clock(one.startMs)} – ${clock(one.endMs)}`)];
}

function things({ objects }: ResultDocument): string[] {
  if (!objects || objects.length === 0) return [];
  const byLabel = [...Map.groupBy(objects, (one) => one.label)];
  return ['', 'Objects', ...byLabel.map(([label, tracks]) => `  ${label}: ${spans(tracks)}`)];
}

function people({ people, faces }: ResultDocument): string[] {
  if (!people || !faces) return [];
  if (people.length === 0) return ['', 'People: none'];
  const lines = people.map((person) => {
    const tracks = faces.filter((face) => face.personId === person.personId);
    return `  ${person.personId}: ${spans(tracks)}`;
  });
  return ['', 'People (faces)', ...lines];
}

function sound({ loudness, signals }: ResultDocument): string[] {
  const lufs = loudness?.integratedLufs ?? null;
  const bySignal = [...Map.groupBy(signals ?? [], (one) => one.signal)];
  const lines = [
    ...(lufs === null ? [] : [`  loudness: ${lufs.toFixed(1)} LUFS`]),
    ...bySignal.map(([signal, stretches]) => `  ${signal}: ${spans(stretches)}`),
  ];
  return lines.length > 0 ? ['', 'Signals', ...lines] : [];
}

function moderation({ moderation }: ResultDocument): string[] {
  if (!moderation) return [];
  if (moderation.findings.length === 0) return ['', 'To be looked at before others see it: nothing'];
  const byCategory = [...Map.groupBy(moderation.findings, (one) => one.category)];
  return [
    '',
    'To be looked at before others see it',
    ...byCategory.map(([category, findings]) => `  ${category}: ${spans(findings)}`),
  ];
}

/** At most this many stretches of time on a line. */
const shownSpans = 5;

function spans(tracks: { startMs: number; endMs: number }[]): string {
  if (tracks.every((track) => track.endMs === 0)) return `${tracks.length}×`;
  const shown = tracks.slice(0, shownSpans).map((track) => `${clock(track.startMs)}–${clock(track.endMs)}`);
  const rest = tracks.length - shown.length;
  return shown.join(', ') + (rest > 0 ? ` and ${rest} more` : '');
}

function clock(ms: number): string {
  const part = (value: number) => String(Math.floor(value)).padStart(2, '0');
  const hours = Math.floor(ms / 3_600_000);
  return `${hours > 0 ? `${hours}:` : ''}${part((ms / 60_000) % 60)}:${part((ms / 1000) % 60)}`;
}
