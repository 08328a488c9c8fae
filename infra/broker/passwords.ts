import { pbkdf2, randomBytes, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';

/** A password as Mosquitto's dynamic security plugin stores it: PBKDF2-HMAC-SHA512, 64 bytes, base64. */
export interface PasswordHash {
  password: string;
  salt: string;
  iterations: number;
}

const derive = promisify(pbkdf2);
const HASH_BYTES = 64;
const SALT_BYTES = 12;
/**
 * Mosquitto 2.0 uses 101. All our passwords are random 256-bit secrets, which no number of iterations makes
 * easier or harder to guess; this many cost about 5 ms in the thread pool and still slow down a guesser should
 * somebody set a weak one by hand.
 */
const ITERATIONS = 10_000;

export async function hashPassword(password: string): Promise<PasswordHash> {
  const salt = randomBytes(SALT_BYTES);
  const hash = await derive(password, salt, ITERATIONS, HASH_BYTES, 'sha512');
  return { password: hash.toString('base64'), salt: salt.toString('base64'), iterations: ITERATIONS };
}

/** Compares in constant time. The iterations are those stored, so hashes written by Mosquitto verify too. */
export async function verifyPassword(password: Buffer, stored: PasswordHash): Promise<boolean> {
  const expected = Buffer.from(stored.password, 'base64');
  const salt = Buffer.from(stored.salt, 'base64');
  const actual = await derive(password, salt, stored.iterations, HASH_BYTES, 'sha512');
  return expected.length === actual.length && timingSafeEqual(expected, actual);
}
