/** What of a service's log people see in the terminal; the whole of it is in its log file. */

import { z } from 'zod';

const structured = z.object({ level: z.enum(['debug', 'info', 'warn', 'error']), message: z.string() });

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
  if (parsed?.success) return /warn|error/.test(parsed.data.level) ? parsed.data.message : undefined;
  return stream === 'stderr' ? line : undefined;
}

function parseJson(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
