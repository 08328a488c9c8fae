import { parseArgs } from 'node:util';
import { createLog } from '../../functions/core/log.ts';
import { Connector, deadLetterDir } from './connector.ts';
import { Gateway } from './gateway.ts';
import { listParked, redriveParked } from './parked.ts';
import { readSettings } from './settings.ts';

/*
 * The connector as a program:
 *
 *   node infra/connector/main.ts                 runs until SIGTERM; when it was forked it sends
 *                                                {type: 'ready'} to its parent once it is subscribed
 *   node infra/connector/main.ts --list-parked   the events that were refused or failed for too long
 *   node infra/connector/main.ts --redrive       invokes their functions again; removes those accepted
 */

const { values: flags } = parseArgs({
  options: { 'list-parked': { type: 'boolean' }, redrive: { type: 'boolean' } },
});
const settings = readSettings(process.env);

if (flags['list-parked']) await printParked();
else if (flags.redrive) await redrive();
else await run();

async function run(): Promise<void> {
  const log = createLog({ service: 'connector' });
  const connector = new Connector({ ...settings, log: log.info });
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.once(signal, () => {
      void connector.stop().then(() => process.exit(0));
    });
  }
  const functions = await connector.start();
  const topics = new Set(functions.flatMap((definition) => definition.topics));
  log.info(`connector ready: ${functions.length} functions, ${topics.size} topics`);
  process.send?.({ type: 'ready' });
}

async function printParked(): Promise<void> {
  const parked = await listParked(deadLetterDir(settings.dataDir));
  for (const { event } of parked) {
    console.log(
      `${event.parkedAt}  ${event.functionName}  ${event.topic}  ${event.reason}  ${event.eventId}`,
    );
  }
  console.log(`${parked.length} parked`);
}

async function redrive(): Promise<void> {
  const gateway = new Gateway(settings.gateway);
  const { accepted, refused } = await redriveParked(deadLetterDir(settings.dataDir), async (event) => {
    const outcome = await gateway.invoke(
      {
        functionName: event.functionName,
        body: Buffer.from(event.bodyBase64, 'base64'),
        connector: 'mqtt-connector',
        topic: event.topic,
        eventId: event.eventId,
      },
      new AbortController().signal,
    );
    const answered = outcome.kind === 'answered';
    return {
      accepted: answered && outcome.status >= 200 && outcome.status < 300,
      reason: answered ? `status ${outcome.status}` : outcome.reason,
    };
  });
  gateway.close();
  for (const { event, reason } of refused) console.log(`${event.eventId}  ${event.functionName}: ${reason}`);
  console.log(`${accepted} accepted, ${refused.length} still parked`);
  if (refused.length > 0) process.exitCode = 1;
}
