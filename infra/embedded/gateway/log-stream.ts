/** /system/logs: a function's lines as NDJSON, the kept ones and, where asked, all that follow. */
import type { ServerResponse } from 'node:http';
import { NAMESPACE } from './function-host.ts';
import type { FunctionLogs, LogLine } from './function-logs.ts';
import { sendText } from './plain-answers.ts';

/** A reader this far behind is cut off: its lines would pile up in memory. */
const MAX_UNSENT_BYTES = 1024 * 1024;

/** Words that Go's ParseBool takes for true: faas-cli sends one of them. */
const TRUE = new Set(['1', 't', 'T', 'true', 'True', 'TRUE']);

/** Query: `since` (RFC 3339), `tail` (count, all where not positive), `follow`. */
export function sendLogs(
  logs: FunctionLogs,
  functionName: string,
  query: URLSearchParams,
  response: ServerResponse,
): void {
  const sinceMs = Date.parse(query.get('since') || '1970-01-01T00:00:00Z');
  const tail = Number(query.get('tail') || 0);
  if (Number.isNaN(sinceMs) || !Number.isInteger(tail)) {
    sendText(response, 422, 'could not parse the log request');
    return;
  }
  const encode = (line: LogLine) =>
    `${JSON.stringify({
      name: functionName,
      namespace: NAMESPACE,
      instance: functionName,
      timestamp: new Date(line.at).toISOString(),
      text: line.text,
    })}\n`;
  response.writeHead(200, { 'content-type': 'application/x-ndjson' });
  response.flushHeaders();
  for (const line of logs.read(functionName, { sinceMs, tail })) response.write(encode(line));
  if (!TRUE.has(query.get('follow') ?? '')) {
    response.end();
    return;
  }
  const stop = logs.follow(functionName, {
    line: (line) => {
      if (response.writableLength > MAX_UNSENT_BYTES) response.destroy();
      else response.write(encode(line));
    },
    end: () => response.end(),
  });
  response.on('close', stop);
}
