/** The embedded system: which services it has, what they need from each other, one data folder. */

import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { labelPrefix } from '../../../functions/core/instances/label.ts';
import { endLocalWorkers } from '../../../functions/core/providers/local.ts';
import { readCertificate } from '../../certificate/certificate.ts';
import { ensureSecrets, type Secrets } from '../../secrets/secrets.ts';
import { choosePorts, type Ports } from '../ports.ts';
import { startPostgres, stopOrphan } from '../postgres/start.ts';
import { type Service, type SupervisorEvent, supervise } from '../supervisor.ts';
import { consoleText } from './console-line.ts';
import { type Environment, type ServiceEnvironment, serviceEnvironment } from './environment.ts';
import { acquireLock } from './lock.ts';
import { openLogFile } from './log-file.ts';
import { type NodeProgram, runProgram } from './node-program.ts';
import { nodeService } from './node-service.ts';
import type { SetupStep } from './setup.ts';

export interface SystemOptions {
  env: Environment;
  onEvent(event: SupervisorEvent): void;
  /** Gets the lines of services that people should see: warnings and errors, or all with AIMA_LOG=debug. */
  onLine(name: string, text: string): void;
}

export interface EmbeddedSystem {
  env: ServiceEnvironment;
  secrets: Secrets;
  /** Resolves when everything is ready; rejects, with everything stopped, when a service does not come up. */
  ready: Promise<void>;
  stop(): Promise<void>;
}

/**
 * Starts the embedded system on the data folder that the environment names.
 * @throws AlreadyRunningError, or with a sentence where a port is taken or a setting is wrong.
 */
export async function startSystem(options: SystemOptions): Promise<EmbeddedSystem> {
  const dataDir = resolve(options.env.AIMA_DATA_DIR || 'data');
  const lock = await acquireLock(dataDir);
  try {
    await stopOrphan(postgresDir(dataDir));
    const ports = await choosePorts(options.env);
    const env = serviceEnvironment(options.env, dataDir, ports);
    const secrets = await ensureSecrets(env.AIMA_SECRETS_DIR);
    // Nothing to stop for: the note only helps the start after a crash.
    const notNoted = (error: Error) => options.onLine('lock', error.message);
    const supervisor = supervise(
      embeddedServices({ env, ports, secrets, log: serviceLog(dataDir, options) }),
      {
        onEvent(event) {
          if (event.type === 'ready') lock.noteChild(event.name, event.pid).catch(notNoted);
          options.onEvent(event);
        },
      },
    );
    return {
      env,
      secrets,
      ready: supervisor.ready.then(
        () => lock.noteAddresses(addresses(env)),
        async (error) => {
          await lock.release();
          throw error;
        },
      ),
      async stop() {
        await supervisor.stop();
        await lock.release();
      },
    };
  } catch (error) {
    await lock.release();
    throw error;
  }
}

const postgresDir = (dataDir: string) => join(dataDir, 'postgres');

function addresses(env: ServiceEnvironment) {
  return { gateway: env.AIMA_GATEWAY_URL, s3: env.AIMA_S3_ENDPOINT, mqtt: env.AIMA_MQTT_URL };
}

type ServiceLog = (name: string) => NodeProgram['log'];

function serviceLog(dataDir: string, { env, onLine }: SystemOptions): ServiceLog {
  const showAll = env.AIMA_LOG === 'debug';
  return (name) => {
    const file = openLogFile(join(dataDir, 'logs', `${name}.log`));
    return (line, stream) => {
      file.write(line);
      const text = consoleText(name, line, stream, showAll);
      if (text !== undefined) onLine(name, text);
    };
  };
}

interface Parts {
  env: ServiceEnvironment;
  ports: Ports;
  secrets: Secrets;
  log: ServiceLog;
}

const program = (path: string) => fileURLToPath(new URL(path, import.meta.url));

/** Runs one step of setup.ts to its end. */
export function setUp(
  step: SetupStep,
  env: Environment,
  log: NodeProgram['log'],
  signal: AbortSignal,
): Promise<void> {
  return runProgram({ script: program('setup.ts'), args: [step], env, log }, signal);
}

/** In the order in which they start; each relies only on those before it. */
function embeddedServices({ env, ports, secrets, log }: Parts): Service[] {
  const node = (name: string, path: string) => ({ name, script: program(path), env, log: log(name) });
  const objects = node('objects', '../s3/main.ts');
  return [
    postgresService({ env, ports, secrets, log }),
    nodeService(node('broker', '../broker/main.ts')),
    nodeService({ ...objects, prepare: (signal) => setUp('bucket', env, objects.log, signal) }),
    withLocalWorkers(nodeService(node('functions', '../gateway/main.ts')), secrets),
    nodeService(node('connector', '../../connector/main.ts')),
  ];
}

/**
 * Workers outlive the functions that started them, but not the system: they are ended when nobody is
 * left who could start another, and while there still is a database in which they give their jobs back.
 */
function withLocalWorkers(functions: Service, secrets: Secrets): Service {
  return {
    name: functions.name,
    async start(signal) {
      const running = await functions.start(signal);
      return {
        ...running,
        async stop() {
          await running.stop();
          await endLocalWorkers(labelPrefix(secrets['owner-id']));
        },
      };
    },
  };
}

/**
 * The first service, so the certificate that others show too is made here.
 * Ready means migrated: a restart after a crash runs the migrations too, which finds nothing to do.
 */
function postgresService({ env, ports, secrets, log }: Parts): Service {
  const write = log('postgres');
  return {
    name: 'postgres',
    async start(signal) {
      if (env.AIMA_PUBLIC_HOST) await setUp('certificate', env, write, signal);
      const server = await startPostgres({
        dataDir: postgresDir(env.AIMA_DATA_DIR),
        port: ports.AIMA_POSTGRES_PORT,
        superuserPassword: secrets['postgres-password'],
        ...(env.AIMA_PUBLIC_HOST && { outside: await readCertificate(env.AIMA_SECRETS_DIR) }),
        log: (line) => write(line, 'stderr'),
        signal,
      });
      try {
        await setUp('database', env, write, signal);
        return server;
      } catch (error) {
        await server.stop();
        throw error;
      }
    },
  };
}
