/**
 * `npm run simulate -- NAME…`: providers of rented machines, simulated on this one. They speak the
 * real providers' APIs, and a machine rented from them runs the real worker program, so the whole
 * way of a job can be seen without an account anywhere and for nothing.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join, relative, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { modelsDir } from '../gpu-worker/models/model-folder.ts';
import { image, type Running, simulatedProviders } from '../tests/providers/simulated.ts';
import { realClock } from '../tests/providers/simulator/clock.ts';
import { processContainer } from '../tests/providers/simulator/process-container.ts';
import { carryOut, help } from './simulate/commands.ts';
import { watchMarket } from './simulate/watch.ts';

const names = simulatedProviders.map(({ name }) => name);

const usage = `npm run simulate -- [options] NAME…

  NAME             ${names.join(', ')}
  --accept S       seconds from a request until it begins to pull the image (default 1)
  --pull S         seconds that pulling takes (default 3)
  --data FOLDER    of the system that is to use them (default: AIMA_DATA_DIR, data/simulated)

${help}`;

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      accept: { type: 'string', default: '1' },
      pull: { type: 'string', default: '3' },
      data: { type: 'string' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  const chosen = simulatedProviders.filter(({ name }) => positionals.includes(name));
  const [acceptMs, pullMs] = [values.accept, values.pull].map((seconds) => Number(seconds) * 1000);
  const isRight = chosen.length === positionals.length && chosen.length > 0 && acceptMs! >= 0 && pullMs! >= 0;
  if (values.help || !isRight) {
    console.log(usage);
    return values.help ? 0 : 2;
  }

  if (positionals.includes('runpod-pods') && positionals.includes('runpod-serverless')) {
    console.error('runpod-pods and runpod-serverless are one account at one address: simulate one of them.');
    return 2;
  }

  const startContainer = processContainer({
    modelsDir: modelsDir(process.env),
    onLine: (id, line) => console.log(`  ${id} | ${line}`),
  });
  const simulation = { clock: realClock, startContainer, acceptMs: acceptMs!, pullMs: pullMs! };
  const running = await Promise.all(chosen.map((provider) => provider.start(simulation)));
  const dataDir = resolve(values.data ?? (process.env.AIMA_DATA_DIR || 'data/simulated'));
  await writeSecrets(join(dataDir, 'secrets'), running);
  console.log(instructions(dataDir, positionals, running));
  console.log(`\n${help}\n\nCtrl-C ends the providers and all their machines.\n`);

  for (const [index, { simulator }] of running.entries())
    watchMarket(simulator.market, (line) => console.log(`${chosen[index]!.name}: ${line}`));
  const markets = running.map(({ simulator }) => simulator.market);
  createInterface({ input: process.stdin }).on('line', (line) => {
    if (line.trim() === '') return;
    try {
      console.log(carryOut(line, markets));
    } catch (error) {
      console.log(`${(error as Error).message}\n${help}`);
    }
  });
  await new Promise<void>((stop) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => stop());
  });
  await Promise.all(running.map(({ simulator }) => simulator.close()));
  return 0;
}

/** Into a folder of their own, so that no real key is ever replaced by a simulated one. */
async function writeSecrets(folder: string, running: readonly Running[]): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const secrets = running.flatMap((one) => Object.entries(one.secrets));
  await Promise.all(secrets.map(([name, value]) => writeFile(join(folder, name), value, { mode: 0o600 })));
}

function instructions(dataDir: string, providers: string[], running: readonly Running[]): string {
  const environment = {
    AIMA_DATA_DIR: shortest(dataDir),
    AIMA_PROVIDERS: providers.join(','),
    // The machines are on this one: its own loopback is an address that they reach.
    AIMA_PUBLIC_HOST: '127.0.0.1',
    AIMA_WORKER_IMAGE: image,
    ...Object.assign({}, ...running.map((one) => one.environment)),
  };
  const assignments = Object.entries(environment).map(([name, value]) => `${name}=${value} \\`);
  const names = running.flatMap((one) => Object.keys(one.secrets));
  return `Simulated: ${providers.join(', ')}. Their keys (${names.join(', ')}) are in ${join(dataDir, 'secrets')}.

Start AIMA with them, in another terminal:

  ${assignments.join('\n  ')}
  npm start

and give it a file to analyse, in a third:

  AIMA_DATA_DIR=${environment.AIMA_DATA_DIR} npm run analyze -- FILE`;
}

/** Below the present folder as people would type it. */
function shortest(path: string): string {
  const fromHere = relative(process.cwd(), path);
  return fromHere === '' || fromHere.startsWith('..') ? path : fromHere;
}

try {
  process.exit(await main());
} catch (error) {
  console.error((error as Error).message);
  process.exit(1);
}
