/** An address of this machine that is in none of the containers' networks, as the world's addresses are not. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { Namespace } from '../public-address/namespace.ts';

const run = promisify(execFile);

export interface Outside {
  address: string;
  remove(): Promise<void>;
}

export async function openOutside({ here, command }: Namespace): Promise<Outside> {
  // 198.51.100.0/24 is for documentation (RFC 5737): nobody has it.
  const address = `198.51.100.${(process.pid % 254) + 1}`;
  await run('ip', ['addr', 'add', `${address}/32`, 'dev', 'lo']);
  await run(...command('ip', 'route', 'add', `${address}/32`, 'via', here));
  return {
    address,
    async remove() {
      await run('ip', ['addr', 'del', `${address}/32`, 'dev', 'lo']);
    },
  };
}
