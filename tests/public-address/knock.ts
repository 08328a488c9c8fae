/**
 * Tries doors and prints what came of it: `node knock.ts <json>`, a list of addresses, each with the
 * certificate (PEM) that is expected there or without. Prints a list of "in" or the reason why not.
 */
import { connect as dial } from 'node:net';
import mqtt from 'mqtt';
import { connect } from '../../functions/core/database.ts';
import { pinned } from '../../functions/core/pinned-certificate.ts';

interface Door {
  url: string;
  certificate?: string;
}

const ways: Record<string, (door: Door) => Promise<void>> = {
  'postgres:': async ({ url, certificate }) => {
    const sql = connect(url, { max: 1, certificate });
    try {
      await sql`select 1`;
    } finally {
      await sql.end({ timeout: 1 });
    }
  },
  'mqtt:': async ({ url, certificate }) => {
    const options = { protocolVersion: 4, connectTimeout: 5000, reconnectPeriod: 0 } as const;
    const client = await mqtt.connectAsync(
      url,
      { ...options, ...(certificate ? pinned(certificate) : {}) },
      false,
    );
    await client.endAsync(true);
  },
  'http:': async ({ url }) => {
    await fetch(url);
  },
  'tcp:': ({ url }) =>
    new Promise((resolve, reject) => {
      const { hostname, port } = new URL(url);
      const socket = dial({ host: hostname, port: Number(port) }, () => {
        socket.destroy();
        resolve();
      });
      socket.on('error', reject);
    }),
};
ways['mqtts:'] = ways['mqtt:']!;

const answers: string[] = [];
for (const door of JSON.parse(process.argv[2]!) as Door[]) {
  try {
    await ways[new URL(door.url).protocol]!(door);
    answers.push('in');
  } catch (error) {
    const { code, message, cause } = error as Error & { code?: string | number; cause?: { code?: string } };
    answers.push(`${code ?? cause?.code ?? ''} ${message}`.trim());
  }
}
console.log(JSON.stringify(answers));
process.exit(0);
