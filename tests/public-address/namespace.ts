/**
 * Another machine, as far as the network goes: a network namespace of its own, with one cable to this
 * one. Needs root and iproute2.
 */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);

export interface Namespace {
  /** As `ip netns` knows it. */
  name: string;
  /** The address of this side, and of the other. */
  here: string;
  there: string;
  /** The command line that runs a command there. */
  command(program: string, ...args: string[]): [program: string, args: string[]];
  remove(): Promise<void>;
}

/** Null where this machine cannot make one; says why. */
export async function openNamespace(): Promise<Namespace | null> {
  const id = process.pid;
  const name = `aima-${id}`;
  // 198.18.0.0/15 is for tests between networks (RFC 2544); interfaces have names of at most 15 characters.
  const net = `198.${18 + ((id >> 14) & 1)}.${(id >> 6) & 255}`;
  const host = (id & 63) * 4;
  const [here, there] = [`${net}.${host + 1}`, `${net}.${host + 2}`];
  const remove = async () => {
    await run('ip', ['netns', 'delete', name]).catch(() => {});
    await run('ip', ['link', 'delete', `aima-h${id}`]).catch(() => {});
  };
  try {
    for (const command of [
      `netns add ${name}`,
      `link add aima-h${id} type veth peer name aima-t${id} netns ${name}`,
      `addr add ${here}/30 dev aima-h${id}`,
      `link set aima-h${id} up`,
      `-n ${name} addr add ${there}/30 dev aima-t${id}`,
      `-n ${name} link set aima-t${id} up`,
      `-n ${name} link set lo up`,
    ])
      await run('ip', command.split(' '));
  } catch (error) {
    await remove();
    console.warn(`no second network namespace here: ${(error as Error).message.trim().split('\n').at(-1)}`);
    return null;
  }
  return {
    name,
    here,
    there,
    command: (program, ...args) => ['ip', ['netns', 'exec', name, program, ...args]],
    remove,
  };
}
