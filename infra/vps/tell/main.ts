/**
 * Tells people of trouble with this server, when the functions, which tell of everything else, may be the
 * trouble: `main.ts PART raised|over`, with the sentence on stdin. To every address of the secret alert-urls;
 * ends with 1 where one of them did not take it.
 */
import { text } from 'node:stream/consumers';
import { z } from 'zod';
import { alertAddresses } from '../../../functions/core/alerts/addresses.ts';
import { loadConfig } from '../../../functions/core/config.ts';
import { tellOfServer } from './tell.ts';

const [part, word] = z.tuple([z.string().min(1), z.enum(['raised', 'over'])]).parse(process.argv.slice(2));
const config = loadConfig();
const sentence = (await text(process.stdin)).trim();
const faults = await tellOfServer(
  { part, isOver: word === 'over', text: sentence, at: new Date() },
  alertAddresses(config),
  () => config.secret('webhook-secret'),
);
for (const fault of faults) console.error(fault);
process.exit(faults.length === 0 ? 0 : 1);
