/** What of a service's log people see in the terminal; the whole of it is in its log file. */

import { z } from 'zod';

const structured = z
  .object({ level: z.enum(['debug', 'info', 'warn', 'error']), message: z.string() })
  .loose();

/**
 * The text to show for one line of a service, or undefined to keep quiet.
 * Our programs print JSON lines with a level; what else comes on stderr is a warning or an error.
 * Postgres logs everything on stderr, so there only what ends the server or refuses a login counts.
 * @param showAll show every line (AIMA_LOG=debug).
 */
export function consoleText(
  name: string,
  line: string,
  stream: 'stdout' | 'stderr',
  showAll: boolean,
): string | undefined {
  const parsed = line.startsWith('{') ? structured.safeParse(parseJson(line)) : undefined;
  if (showAll) return line;
  if (name === 'postgres') return /\b(FATAL|PANIC): /.test(line) ? line : undefined;
  if (parsed?.success) return /warn|error/.test(parsed.data.level) ? sentence(parsed.data) : undefined;
  return stream === 'stderr' ? line : undefined;
}

/** The message and what it is about; of an error and its stack the first line. Ids of calls are for the log file. */
function sentence({
  message,
  level: _,
  at: __,
  callId: ___,
  ...fields
}: z.output<typeof structured>): string {
  const about = Object.entries(fields)
    .filter(([, value]) => typeof value === 'string' || typeof value === 'number')
    .map(([name, value]) => `${name} ${String(value).split('\n')[0]}`);
  return about.length === 0 ? message : `${message} (${about.join(', ')})`;
}

function parseJson(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
