/** Waiting, but not for ever: drivers do not all give up by themselves when their server is away. */
import { AimaError } from '../errors.ts';

/** @throws AimaError `timeout` after so long; what the work throws later is nobody's business any more. */
export async function within<T>(patienceMs: number, work: Promise<T>): Promise<T> {
  work.catch(() => {});
  let timer: NodeJS.Timeout | undefined;
  const tooLong = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new AimaError('timeout', `There was no answer within ${patienceMs / 1000} s.`)),
      patienceMs,
    );
  });
  try {
    return await Promise.race([work, tooLong]);
  } finally {
    clearTimeout(timer);
  }
}
