/** This machine's clock against the providers': signatures and deadlines hang on it. */
import type { Config } from '../../functions/core/config.ts';
import { type Finding, fault, ok } from './finding.ts';

/** Object stores refuse signatures that are 15 minutes off, and a lease is some minutes long. */
const mostApartMs = 30_000;

export async function examineClock(config: Config, providers: string[]): Promise<Finding[]> {
  const addresses: Record<string, string> = {
    'runpod-pods': config.AIMA_RUNPOD_URL,
    'runpod-serverless': config.AIMA_RUNPOD_URL,
    vast: config.AIMA_VAST_URL,
    shadeform: config.AIMA_SHADEFORM_URL,
    salad: config.AIMA_SALAD_URL,
  };
  for (const url of new Set(providers.flatMap((name) => addresses[name] ?? []))) {
    const apartMs = await apartFrom(url);
    if (apartMs === null) continue;
    const seconds = Math.round(apartMs / 1000);
    return Math.abs(apartMs) <= mostApartMs
      ? [ok('clock', `within ${mostApartMs / 1000} s of ${new URL(url).host}`)]
      : [fault('clock', `This clock is ${seconds} s from that of ${new URL(url).host}`, 'Set it by NTP.')];
  }
  return [ok('clock', 'not compared: no provider elsewhere was asked')];
}

/** Of whatever a server answers, its Date tells the time to the second. Null where it does not answer. */
async function apartFrom(url: string): Promise<number | null> {
  try {
    const response = await fetch(url, {
      method: 'HEAD',
      redirect: 'manual',
      signal: AbortSignal.timeout(5_000),
    });
    const date = Date.parse(response.headers.get('date') ?? '');
    return Number.isNaN(date) ? null : Date.now() - date;
  } catch {
    return null;
  }
}
