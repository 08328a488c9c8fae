/** What the doctor found, one line each, and what to do where it is a fault. */
export interface Finding {
  isFault: boolean;
  /** What it is about: `postgres`, `vast`. */
  about: string;
  text: string;
}

export function ok(about: string, text: string): Finding {
  return { isFault: false, about, text };
}

/** @param advice what a person does about it: a sentence. */
export function fault(about: string, text: string, advice: string): Finding {
  return { isFault: true, about, text: `${text.replace(/\.?$/, '.')} ${advice}` };
}

/** One line of the report. */
export function lineOf({ isFault, about, text }: Finding): string {
  return `${isFault ? 'FAULT' : 'ok   '}  ${about.padEnd(18)} ${text}`;
}

/** What a check found; one that throws is a fault, and `advice` says what to do then. */
export async function examine(
  about: string,
  advice: string,
  check: () => Promise<Finding[]>,
): Promise<Finding[]> {
  try {
    return await check();
  } catch (error) {
    return [fault(about, messageOf(error), advice)];
  }
}

/** An error in one line; those of the network carry their reason inside. */
export function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const inner = error instanceof AggregateError ? error.errors[0] : error.cause;
  const text = error.message || String((error as { code?: unknown }).code ?? error.name);
  // Of a file that is missing, the sentence around it says all.
  const isTold =
    !(inner instanceof Error) || text.includes(inner.message) || inner.message.startsWith('ENOENT');
  const cause = isTold ? '' : ` (${messageOf(inner)})`;
  return `${text}${cause}`.replace(/\s+/g, ' ');
}
