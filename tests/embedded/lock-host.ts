/** A supervisor that a test can kill: takes the lock of a data folder and has one child, which ignores SIGINT if told. */

import { spawn } from 'node:child_process';
import { acquireLock } from '../../infra/embedded/supervisor/lock.ts';

const [dataDir, childSource] = process.argv.slice(2);
const lock = await acquireLock(dataDir!);
const child = spawn(process.execPath, ['-e', childSource!], {
  stdio: ['ignore', 'pipe', 'ignore'],
  detached: true,
});
await new Promise((resolve) => child.stdout.once('data', resolve));
await lock.noteChild('child', child.pid!);
await lock.noteAddresses({ gateway: 'http://127.0.0.1:8080' });
console.log(child.pid);
setInterval(() => undefined, 1000);
