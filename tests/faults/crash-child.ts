/**
 * A process that is killed with SIGKILL before it sends its nth message to anybody: Postgres, the
 * provider, the broker. So it dies between every two statements of what it was doing, one run after
 * the other. Started by crash.ts: `node crash-child.ts decide|end N`, with the stage's environment.
 */
import { Socket } from 'node:net';
import { loadConfig } from '../../functions/core/config.ts';
import { openCore } from '../../functions/core/core.ts';
import { endInstances } from '../../functions/core/instances/end.ts';
import { decide } from '../../functions/core/planner/decide.ts';

const [operation, nth] = process.argv.slice(2);
let left = Number(nth);

/** Sockets that were written to in this turn of the event loop: the pieces of one message. */
const inThisTurn = new Set<Socket>();

const write = Socket.prototype.write;
Socket.prototype.write = function (this: Socket, ...args: Parameters<Socket['write']>) {
  // What goes to the console is nobody's message.
  if (this.remotePort !== undefined && !inThisTurn.has(this)) {
    if (inThisTurn.size === 0) setImmediate(() => inThisTurn.clear());
    inThisTurn.add(this);
    if (--left === 0) process.kill(process.pid, 'SIGKILL');
  }
  return write.apply(this, args);
} as Socket['write'];

const core = openCore(loadConfig(process.env));
if (operation === 'decide') await decide(core);
else await endInstances(core);
process.exit(0);
