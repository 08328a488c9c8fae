import { randomUUID } from 'node:crypto';
import type { MqttClient } from 'mqtt';
import { z } from 'zod';

/*
 * MQTT logins of rented workers, made and dropped through the dynamic security commands that Mosquitto and the
 * embedded broker share (https://mosquitto.org/documentation/dynamic-security/).
 *
 * A rented machine is a stranger's computer, so its login may publish below its own lease and nothing else. It
 * is bound to one MQTT client id, its own username: client ids are global to a broker, and a login that could
 * choose one could push another client out, or take over the persistent session and queued messages of it.
 */

const CONTROL_TOPIC = '$CONTROL/dynamic-security/v1';
const RESPONSE_TOPIC = `${CONTROL_TOPIC}/response`;
const RESPONSE_TIMEOUT_MS = 10_000;

/** The MQTT username of an instance's worker, and the client id it must connect with. */
export function workerUsername(instanceId: string): string {
  return `worker-${instanceId}`;
}

/**
 * Makes the login of an instance's worker: it may publish `aima/leases/<instanceId>/#` and subscribe to
 * nothing. Done twice, the password given last holds (and open sessions of the login end).
 *
 * @param client connected as a login that may use `$CONTROL/dynamic-security/#`
 * @throws Error when the broker refuses or does not answer within ten seconds; it may have been made then
 */
export async function openWorkerLogin(
  client: MqttClient,
  worker: { instanceId: string; password: string },
): Promise<void> {
  const username = workerUsername(worker.instanceId);
  const [role, login] = await sendCommands(client, [
    {
      command: 'createRole',
      rolename: username,
      acls: [
        {
          acltype: 'publishClientSend',
          topic: `aima/leases/${worker.instanceId}/#`,
          priority: 0,
          allow: true,
        },
        { acltype: 'publishClientReceive', topic: '#', priority: 0, allow: false },
      ],
    },
    {
      command: 'createClient',
      username,
      clientid: username,
      password: worker.password,
      roles: [{ rolename: username }],
    },
  ]);
  tolerate(role, 'Role already exists');
  if (tolerate(login, 'Client already exists')) {
    const [password] = await sendCommands(client, [
      { command: 'setClientPassword', username, password: worker.password },
    ]);
    tolerate(password);
  }
}

/**
 * Drops the login of an instance's worker and ends its open sessions at once. Nothing happens where there is
 * none.
 *
 * @throws Error when the broker refuses or does not answer within ten seconds
 */
export async function closeWorkerLogin(client: MqttClient, instanceId: string): Promise<void> {
  const username = workerUsername(instanceId);
  const [login, role] = await sendCommands(client, [
    { command: 'deleteClient', username },
    { command: 'deleteRole', rolename: username },
  ]);
  tolerate(login, 'Client not found');
  tolerate(role, 'Role not found');
}

/** Instances whose workers have a login, whether or not they should have one still. */
export async function listWorkerLogins(client: MqttClient): Promise<string[]> {
  const [answer] = await sendCommands(client, [{ command: 'listClients' }]);
  tolerate(answer);
  const prefix = workerUsername('');
  return (answer?.data?.clients ?? [])
    .filter((username) => username.startsWith(prefix))
    .map((username) => username.slice(prefix.length));
}

const answerSchema = z.object({
  command: z.string(),
  error: z.string().optional(),
  correlationData: z.string().optional(),
  data: z.object({ clients: z.array(z.string()).optional() }).optional(),
});
const responseSchema = z.object({ responses: z.array(answerSchema) });
type Answer = z.output<typeof answerSchema>;

/** Returns whether the command failed with the error that is as good as success; any other error is thrown. */
function tolerate(answer: Answer | undefined, harmlessError?: string): boolean {
  if (answer?.error === undefined) return false;
  if (answer.error === harmlessError) return true;
  throw new Error(`the MQTT broker refused ${answer.command}: ${answer.error}`);
}

/** Sends commands as one message and waits for its answers, which come in the same order. */
function sendCommands(client: MqttClient, commands: readonly Record<string, unknown>[]): Promise<Answer[]> {
  // Mosquitto sends each response to every subscriber of the topic, also to those who did not ask.
  const correlationData = randomUUID();
  const payload = JSON.stringify({ commands: commands.map((command) => ({ ...command, correlationData })) });
  return new Promise((resolve, reject) => {
    const finish = (settle: () => void): void => {
      clearTimeout(timeout);
      client.off('message', onMessage);
      settle();
    };
    const onMessage = (topic: string, message: Buffer): void => {
      if (topic !== RESPONSE_TOPIC) return;
      const answers = parseResponse(message);
      if (answers[0]?.correlationData === correlationData) finish(() => resolve(answers));
    };
    const timeout = setTimeout(() => {
      finish(() => reject(new Error(`the MQTT broker did not answer within ${RESPONSE_TIMEOUT_MS} ms`)));
    }, RESPONSE_TIMEOUT_MS);
    client.on('message', onMessage);
    client
      .subscribeAsync(RESPONSE_TOPIC, { qos: 1 })
      .then(() => client.publishAsync(CONTROL_TOPIC, payload, { qos: 1 }))
      .catch((error: Error) => finish(() => reject(error)));
  });
}

function parseResponse(message: Buffer): Answer[] {
  try {
    return responseSchema.parse(JSON.parse(message.toString('utf8'))).responses;
  } catch {
    return [];
  }
}
