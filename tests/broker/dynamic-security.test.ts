import type { MqttClient } from 'mqtt';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { closeWorkerLogin, openWorkerLogin, workerUsername } from '../../functions/core/events/logins.ts';
import {
  closeClients,
  collect,
  connectAs,
  connectLater,
  mosquittoIsInstalled,
  type RunningBroker,
  removeDir,
  startEmbedded,
  startMosquitto,
  temporaryDir,
} from './brokers.ts';

/*
 * The same cases against the embedded broker and against Mosquitto: what our code relies on must hold on both.
 */

if (!mosquittoIsInstalled) {
  console.log('skipped on Mosquitto: mosquitto or its dynamic security plugin is not installed');
}

const brokers = [
  { name: 'embedded', start: startEmbedded, runs: true },
  { name: 'mosquitto', start: startMosquitto, runs: mosquittoIsInstalled },
];

describe.each(brokers)('logins and rules on $name', ({ start, runs }) => {
  let dir: string;
  let broker: RunningBroker;

  beforeAll(async () => {
    if (!runs) return;
    dir = await temporaryDir();
    broker = await start(dir);
    const first = connectLater(broker.url, 'functions', 'functions-secret');
    await new Promise((resolve) => first.once('connect', resolve));
    await closeClients();
  });
  afterEach(closeClients);
  afterAll(async () => {
    if (!runs) return;
    await broker.stop();
    await removeDir(dir);
  });

  const functions = () => connectAs(broker.url, 'functions', 'functions-secret');
  const worker = (instanceId: string, password = 'worker-secret', clientId = workerUsername(instanceId)) =>
    connectAs(broker.url, workerUsername(instanceId), password, { clientId });
  const closed = (client: MqttClient) => new Promise<void>((resolve) => client.once('close', resolve));

  /** What the connector hears of these publishes; a last one by `functions` marks the end. */
  async function heard(publish: () => Promise<unknown>): Promise<string[]> {
    const connector = await connectAs(broker.url, 'connector', 'connector-secret');
    const received = collect(connector);
    await connector.subscribeAsync('aima/#', { qos: 1 });
    await publish();
    await (await functions()).publishAsync('aima/end', '', { qos: 1 });
    while (received.messages.at(-1)?.topic !== 'aima/end') await received.count(received.messages.length + 1);
    return received.messages.slice(0, -1).map((message) => message.topic);
  }

  it.runIf(runs)('refuses anonymous clients, unknown names and wrong passwords', async () => {
    for (const [username, password] of [
      ['', ''],
      ['nobody', 'functions-secret'],
      ['functions', 'wrong'],
      ['functions', ''],
    ] as const) {
      await expect(connectAs(broker.url, username, password)).rejects.toThrow('Not authorized');
    }
  });

  it.runIf(runs)('lets the base logins do what is theirs and drops the rest', async () => {
    const topics = await heard(async () => {
      await (await functions()).publishAsync('aima/jobs/queued', '{}', { qos: 1 });
      await (await functions()).publishAsync('elsewhere', '{}', { qos: 1 });
      const objects = await connectAs(broker.url, 'objects', 'objects-secret');
      await objects.publishAsync('aima/media/uploaded', '{}', { qos: 1 });
      await objects.publishAsync('aima/jobs/settled', '{}', { qos: 1 });
      await expect(objects.subscribeAsync('aima/media/uploaded')).rejects.toThrow('Subscribe error');
      const connector = await connectAs(broker.url, 'connector', 'connector-secret');
      await connector.publishAsync('aima/jobs/settled', '{}', { qos: 1 });
      await expect(connector.subscribeAsync('#')).rejects.toThrow('Subscribe error');
    });
    expect(topics).toEqual(['aima/jobs/queued', 'aima/media/uploaded']);
  });

  it.runIf(runs)('lets a worker publish below its lease only and subscribe to nothing', async () => {
    await openWorkerLogin(await functions(), { instanceId: 'X', password: 'worker-secret' });
    const client = await worker('X');
    for (const filter of [
      'aima/leases/X/#',
      'aima/jobs/queued',
      '#',
      '$CONTROL/dynamic-security/v1/response',
    ]) {
      await expect(client.subscribeAsync(filter)).rejects.toThrow('Subscribe error');
    }
    const topics = await heard(async () => {
      await client.publishAsync('aima/leases/X/ready', '{}', { qos: 1 });
      await client.publishAsync('aima/leases/Y/ready', '{}', { qos: 1 });
      await client.publishAsync('aima/leases/XX/ready', '{}', { qos: 1 });
      await client.publishAsync('aima/jobs/queued', '{}', { qos: 1 });
      await client.publishAsync(
        '$CONTROL/dynamic-security/v1',
        JSON.stringify({
          commands: [{ command: 'addClientRole', username: workerUsername('X'), rolename: 'functions' }],
        }),
        { qos: 1 },
      );
      await client.publishAsync('aima/leases/X/idle', '{}', { qos: 1 });
    });
    expect(topics).toEqual(['aima/leases/X/ready', 'aima/leases/X/idle']);
  });

  it.runIf(runs)('binds a worker to its own client id', async () => {
    await openWorkerLogin(await functions(), { instanceId: 'B', password: 'worker-secret' });
    await expect(worker('B', 'worker-secret', 'somebody-else')).rejects.toThrow('Not authorized');
    await worker('B');
  });

  it.runIf(runs)('opening a login twice sets the password', async () => {
    const client = await functions();
    await openWorkerLogin(client, { instanceId: 'T', password: 'first' });
    await openWorkerLogin(client, { instanceId: 'T', password: 'second' });
    await expect(worker('T', 'first')).rejects.toThrow('Not authorized');
    await worker('T', 'second');
  });

  it.runIf(runs)('closing a login ends its open session, also when done twice', async () => {
    const client = await functions();
    await openWorkerLogin(client, { instanceId: 'C', password: 'worker-secret' });
    const ended = closed(await worker('C'));
    await closeWorkerLogin(client, 'C');
    await ended;
    await expect(worker('C')).rejects.toThrow('Not authorized');
    await closeWorkerLogin(client, 'C');
  });

  it.runIf(runs)('answers commands in Mosquitto’s words', async () => {
    const client = await functions();
    const answers = collect(client);
    await client.subscribeAsync('$CONTROL/dynamic-security/v1/response', { qos: 1 });
    await client.publishAsync(
      '$CONTROL/dynamic-security/v1',
      JSON.stringify({
        commands: [
          { command: 'createRole', rolename: 'r', correlationData: 'one' },
          { command: 'createRole', rolename: 'r' },
          {
            command: 'addRoleACL',
            rolename: 'r',
            acltype: 'publishClientSend',
            topic: 'aima/r',
            allow: true,
          },
          {
            command: 'addRoleACL',
            rolename: 'r',
            acltype: 'publishClientSend',
            topic: 'aima/r',
            allow: true,
          },
          { command: 'createClient', username: 'c', password: 'p', roles: [{ rolename: 'missing' }] },
          { command: 'createClient', username: 'c', password: 'p', roles: [{ rolename: 'r' }] },
          { command: 'createClient', username: 'c', password: 'p' },
          { command: 'createClient', username: 5, password: 'p' },
          { command: 'disableClient', username: 'c' },
          { command: 'getClient', username: 'c' },
          { command: 'getRole', rolename: 'r' },
          { command: 'deleteClient', username: 'c' },
          { command: 'deleteClient', username: 'c' },
          { command: 'deleteRole', rolename: 'r' },
          { command: 'deleteRole', rolename: 'r' },
          { command: 'nonsense' },
        ],
      }),
    );
    await answers.count(1);
    const acl = { acltype: 'publishClientSend', topic: 'aima/r', priority: 0, allow: true };
    expect(JSON.parse(answers.messages[0]?.body ?? '')).toEqual({
      responses: [
        { command: 'createRole', correlationData: 'one' },
        { command: 'createRole', error: 'Role already exists' },
        { command: 'addRoleACL' },
        { command: 'addRoleACL', error: 'ACL with this topic already exists' },
        { command: 'createClient', error: 'Role not found' },
        { command: 'createClient' },
        { command: 'createClient', error: 'Client already exists' },
        { command: 'createClient', error: 'Invalid/missing username' },
        { command: 'disableClient' },
        {
          command: 'getClient',
          data: { client: { username: 'c', disabled: true, roles: [{ rolename: 'r' }], groups: [] } },
        },
        { command: 'getRole', data: { role: { rolename: 'r', acls: [acl] } } },
        { command: 'deleteClient' },
        { command: 'deleteClient', error: 'Client not found' },
        { command: 'deleteRole' },
        { command: 'deleteRole', error: 'Role not found' },
        { command: 'nonsense', error: 'Unknown command' },
      ],
    });
  });

  it.runIf(runs)('survives control messages that are no commands', async () => {
    const client = await functions();
    const answers = collect(client);
    await client.subscribeAsync('$CONTROL/dynamic-security/v1/response', { qos: 1 });
    for (const payload of ['', '{bad', '[]', '{"commands":7}', '{"commands":[7,{"command":{}}]}']) {
      await client.publishAsync('$CONTROL/dynamic-security/v1', payload, { qos: 1 });
    }
    await openWorkerLogin(client, { instanceId: 'after', password: 'worker-secret' });
    await worker('after');
    expect(answers.messages.every((message) => message.body.includes('"responses"'))).toBe(true);
  });
});
