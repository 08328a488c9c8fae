/**
 * Ids of jobs, instances, media: ULIDs (https://github.com/ulid/spec) in lower case: 48 bits of
 * time, 80 of chance, 26 characters of Crockford's base32. They sort by time, fit in a label of
 * every provider, a role name, an MQTT topic and a URL as they are.
 */
import { randomBytes } from 'node:crypto';

const alphabet = '0123456789abcdefghjkmnpqrstvwxyz';

/** What an id looks like, for parsing. */
export const idPattern = /^[0-7][0-9a-hjkmnp-tv-z]{25}$/;

export function newId(nowMs = Date.now(), random: Uint8Array = randomBytes(16)): string {
  let id = '';
  for (let shift = 45; shift >= 0; shift -= 5) id += alphabet[Math.floor(nowMs / 2 ** shift) % 32];
  for (let i = 0; i < 16; i++) id += alphabet[random[i]! & 31];
  return id;
}
