import { createHash } from 'node:crypto';
import { realpath, rm } from 'node:fs/promises';
import { createConnection, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Holds a folder for this process until released or until the process ends, however it ends. */
export interface FolderLock {
  release: () => Promise<void>;
}

/**
 * Two processes writing one journal would destroy it. Node has no flock, and a file with a process id misleads after
 * a reboot; a local socket is closed by the system when its process dies, even by SIGKILL. Its path is short and
 * made from the folder's, because a socket's path may have 107 bytes only.
 * @throws when another process holds the folder
 */
export async function lockFolder(folder: string): Promise<FolderLock> {
  const name = `aima-${createHash('sha256')
    .update(await realpath(folder))
    .digest('hex')
    .slice(0, 24)}`;
  const path = process.platform === 'win32' ? `\\\\.\\pipe\\${name}` : join(tmpdir(), `${name}.sock`);
  const server = createServer((socket) => socket.destroy()).unref();
  if (!(await listens(server, path))) {
    if (await answers(path)) throw new Error(`another process has ${folder} open`);
    await rm(path, { force: true }); // left behind by a process that was killed
    if (!(await listens(server, path))) throw new Error(`another process has just opened ${folder}`);
  }
  return { release: () => new Promise((resolve) => server.close(() => resolve())) };
}

function listens(server: Server, path: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const fail = (error: NodeJS.ErrnoException): void => {
      if (error.code === 'EADDRINUSE') resolve(false);
      else reject(error);
    };
    server.once('error', fail);
    server.listen(path, () => {
      server.removeListener('error', fail);
      resolve(true);
    });
  });
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
