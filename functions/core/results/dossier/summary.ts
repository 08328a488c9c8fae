/** A result in sentences, from templates: nothing in it that the result does not say. Pure. */
import type { ResultDocument } from '../schema.ts';
import { covered, objectsOf, peopleOf, speakerNames, textsOf } from './facts.ts';
import type { Wording } from './wording.ts';
import { clock, languageName, length, number, oneLine, percent } from './write.ts';

/** Of things, texts and places to review: more are no summary. */
const mostNamed = 5;
const longestQuote = 40;

export function summarise(result: ResultDocument, wording: Wording): string[] {
  return [
    mediumSentence(result, wording),
    result.status === 'partial'
      ? wording.partial(result.error?.detail ? oneLine(result.error.detail) : null)
      : [],
    speech(result, wording),
    speakerSentence(result, wording),
    peopleSentence(result, wording),
    sceneSentence(result, wording),
    objectSentence(result, wording),
    textSentence(result, wording),
    sound(result, wording),
    review(result, wording),
  ].flat();
}

function mediumSentence({ medium, run }: ResultDocument, wording: Wording): string {
  const durationMs = medium.durationMs ?? run?.medium?.durationMs ?? 0;
  const isStill = medium.kind === 'image' || durationMs === 0;
  const size = medium.width && medium.height ? `${medium.width} × ${medium.height}` : null;
  return wording.medium(
    wording.kindOf[medium.kind ?? 'unknown'],
    isStill ? null : length(durationMs, wording.language),
    size,
  );
}

function speech({ transcript, medium }: ResultDocument, wording: Wording): string[] {
  if (transcript === null || transcript.status === 'unsupported_language') return [];
  if (transcript.segments.length === 0) return [wording.nothingSpoken];
  const spokenMs = covered(transcript.segments);
  const languages = [...new Set(transcript.segments.map((segment) => segment.language))]
    .slice(0, mostNamed)
    .map((tag) => languageName(tag, wording.language));
  const share = percent(spokenMs / Math.max(1, medium.durationMs ?? spokenMs), wording.language);
  return [wording.spoken(length(spokenMs, wording.language), share, languages)];
}

function speakerSentence(result: ResultDocument, wording: Wording): string[] {
  const speakers = result.speakers ?? [];
  if (speakers.length === 0) return [];
  const all = speakers.reduce((sum, speaker) => sum + speaker.totalMs, 0);
  const longest = speakers.reduce((most, one) => (one.totalMs > most.totalMs ? one : most));
  const name = speakerNames(result, wording).get(longest.speakerId)!;
  const share = percent(longest.totalMs / Math.max(1, all), wording.language);
  return [wording.speakers(speakers.length, name, share)];
}

function peopleSentence(result: ResultDocument, wording: Wording): string[] {
  const people = peopleOf(result, wording);
  const named = people.filter((person) => person.isNamed).map((person) => person.name);
  return people.length > 0 ? [wording.people(people.length, [...new Set(named)].slice(0, mostNamed))] : [];
}

function sceneSentence({ scenes }: ResultDocument, wording: Wording): string[] {
  if (!scenes || scenes.length === 0) return [];
  const longest = Math.max(...scenes.map(({ startMs, endMs }) => endMs - startMs));
  return [wording.scenes(scenes.length, length(longest, wording.language))];
}

function objectSentence(result: ResultDocument, wording: Wording): string[] {
  const most = objectsOf(result).slice(0, mostNamed);
  return most.length > 0 ? [wording.objects(most.map(({ name, count }) => `${name} (${count})`))] : [];
}

function textSentence(result: ResultDocument, wording: Wording): string[] {
  const texts = textsOf(result);
  if (texts.length === 0) return [];
  const quotes = texts.slice(0, mostNamed).map(({ name }) => quote(name, wording.language));
  return [wording.texts(texts.length, quotes)];
}

function quote(text: string, language: string): string {
  const characters = [...text];
  const short = characters.length > longestQuote ? `${characters.slice(0, longestQuote).join('')}…` : text;
  return language === 'de' ? `„${short}“` : `“${short}”`;
}

function sound({ loudness, signals }: ResultDocument, wording: Wording): string[] {
  const lufs = loudness?.integratedLufs ?? null;
  const bySignal = [...Map.groupBy(signals ?? [], ({ signal }) => signal)];
  const sums = bySignal.map(([signal, same]) =>
    wording.signalSum(wording.signal[signal], same.length, length(covered(same), wording.language)),
  );
  return [
    ...(lufs === null ? [] : [wording.loudness(number(lufs, wording.language))]),
    ...(sums.length === 0 ? [] : [wording.signals(sums)]),
  ];
}

function review({ moderation }: ResultDocument, wording: Wording): string[] {
  if (moderation === null) return [];
  const { findings } = moderation;
  if (findings.length === 0) return [wording.nothingToReview];
  const places = findings
    .slice(0, mostNamed)
    .map(({ category, startMs }) => wording.reviewItem(oneLine(category), clock(startMs)));
  const more = findings.length - places.length;
  return [wording.review(findings.length, more > 0 ? [...places, wording.andMore(more)] : places)];
}
