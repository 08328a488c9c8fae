/**
 * The gateway as a process. Environment:
 *   AIMA_SECRETS_DIR   folder with basic-auth-user and basic-auth-password
 *   AIMA_GATEWAY_PORT  default 8080, 0 for any free one
 *   AIMA_GATEWAY_HOST  default 127.0.0.1
 *   AIMA_STACK_FILE    default stack.yml of this project
 *   AIMA_HANDLERS      folder of the functions, default those beside this program
 * When it can take calls it prints one line and, as a child process, sends `{ type: 'ready', port }`.
 */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { startGateway } from './gateway.ts';
import { readStack } from './stack.ts';

/** From source and in `dist/services`, where `npm run build` puts it. */
const isBundle = !import.meta.url.endsWith('.ts');
const PROJECT_DIR = fileURLToPath(new URL(isBundle ? '..' : '../../..', import.meta.url));
const HANDLERS = path.join(PROJECT_DIR, isBundle ? 'services/functions' : 'functions');

/** As the largest request of faasd's template with MAX_RAW_SIZE=8mb in stack.yml. */
const MAX_BODY_BYTES = 8 * 1024 * 1024;
/** Functions share one thread, so more at once would only make each slower. */
const ASYNC_LIMITS = { concurrency: 4, maxTasks: 1_000, maxBytes: 64 * 1024 * 1024 };
/** Calls still running then are cut off: they may take up to 55 s, and a stop should not. */
const CLOSE_WAIT_MS = 5_000;

const Environment = z.object({
  AIMA_SECRETS_DIR: z.string().min(1),
  AIMA_GATEWAY_PORT: z.coerce.number().int().min(0).max(65_535).default(8080),
  AIMA_GATEWAY_HOST: z.string().default('127.0.0.1'),
  AIMA_STACK_FILE: z.string().default(path.join(PROJECT_DIR, 'stack.yml')),
});

async function main(): Promise<void> {
  const parsed = Environment.safeParse(process.env);
  if (!parsed.success) throw new Error(`The environment is not complete:\n${z.prettifyError(parsed.error)}`);
  const environment = parsed.data;
  const secretsDir = environment.AIMA_SECRETS_DIR;
  const secret = async (name: string) => (await readFile(path.join(secretsDir, name), 'utf8')).trim();
  const manifest = z
    .object({ version: z.string() })
    .parse(JSON.parse(await readFile(path.join(PROJECT_DIR, 'package.json'), 'utf8')));

  // A promise that a function forgot must not end the calls of all the others.
  process.on('unhandledRejection', (reason) => console.error('gateway: unhandled rejection:', reason));

  const gateway = await startGateway({
    stack: await readStack(environment.AIMA_STACK_FILE, { AIMA_HANDLERS: HANDLERS, ...process.env }),
    host: environment.AIMA_GATEWAY_HOST,
    port: environment.AIMA_GATEWAY_PORT,
    credentials: { user: await secret('basic-auth-user'), password: await secret('basic-auth-password') },
    secretsDir,
    version: manifest.version,
    maxBodyBytes: MAX_BODY_BYTES,
    asyncLimits: ASYNC_LIMITS,
  });

  let stopping = false;
  const stop = async () => {
    if (stopping) return;
    stopping = true;
    await gateway.close(CLOSE_WAIT_MS);
    process.exit(0);
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
  // A supervisor that was killed cannot stop its children: they notice that its channel is gone.
  if (process.send !== undefined) process.on('disconnect', stop);

  const { port, unavailable } = gateway;
  const missing = unavailable.length === 0 ? '' : `, without ${unavailable.join(', ')}`;
  console.log(`gateway: ready at http://${environment.AIMA_GATEWAY_HOST}:${port}${missing}`);
  process.send?.({ type: 'ready', port });
}

main().catch((error: unknown) => {
  console.error(`gateway: cannot start: ${error instanceof Error ? error.message : String(error)}`);
  process.exit(1);
});
