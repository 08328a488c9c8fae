/**
 * An OCI image for each function, with what the template's image has of importance: Node alone, the template's
 * server (our stand-in), the bundle, a user without rights, and no package manager at all.
 */
import { execFile } from 'node:child_process';
import { chmod, copyFile, cp, mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { templateServer } from './function-process.ts';
import { pathOf } from './parts.ts';

const run = promisify(execFile);

export const imageName = (functionName: string) => `docker.io/aima/${functionName}:latest`;
/** Where Node is in the images. */
export const node = '/usr/bin/node';

const base = `FROM scratch
COPY rootfs/ /
COPY --chown=1000:1000 index.cjs /home/app/
WORKDIR /home/app
USER 1000:1000
ENV NODE_ENV=production
CMD ["${node}", "index.cjs"]
`;

/**
 * @param dir for the builder's files; the archives are in it too.
 * @param contexts build context of each function, by name.
 * @returns the archive of each.
 */
export async function buildImages(
  dir: string,
  contexts: ReadonlyMap<string, string>,
): Promise<Map<string, string>> {
  // vfs needs no kernel module and no privilege; the layers are few.
  const storage = ['--storage-driver', 'vfs', '--root', join(dir, 'root'), '--runroot', join(dir, 'run')];
  const buildah = (...args: string[]) => run(pathOf('buildah'), [...storage, ...args], { cwd: dir });

  await writeRootfs(join(dir, 'rootfs'));
  await copyFile(templateServer, join(dir, 'index.cjs'));
  await writeFile(join(dir, 'base.Containerfile'), base);
  await buildah('bud', '--layers=false', '-f', 'base.Containerfile', '-t', 'localhost/aima-base', '.');
  const archives = new Map<string, string>();
  for (const [name, context] of contexts) {
    await cp(context, join(dir, name), { recursive: true });
    const file = `${name}.Containerfile`;
    await writeFile(
      join(dir, file),
      `FROM localhost/aima-base\nCOPY --chown=1000:1000 ${name}/ /home/app/function/\n`,
    );
    await buildah('bud', '--layers=false', '--pull-never', '-f', file, '-t', imageName(name), '.');
    const archive = join(dir, `${name}.tar`);
    // This kind of archive takes layers as they are: to compress Node for each would take half a minute.
    await buildah(
      'push',
      '--disable-compression',
      imageName(name),
      `docker-archive:${archive}:${imageName(name)}`,
    );
    archives.set(name, archive);
  }
  return archives;
}

/** Node with the libraries it is linked against, two accounts, and a folder for temporary files. */
async function writeRootfs(dir: string): Promise<void> {
  await mkdir(join(dir, 'etc'), { recursive: true });
  await mkdir(join(dir, 'tmp'));
  await chmod(join(dir, 'tmp'), 0o1777);
  await writeFile(join(dir, 'etc/passwd'), 'root:x:0:0::/root:/none\napp:x:1000:1000::/home/app:/none\n');
  await writeFile(join(dir, 'etc/group'), 'root:x:0:\napp:x:1000:\n');
  await mkdir(join(dir, dirname(node)), { recursive: true });
  await copyFile(process.execPath, join(dir, node));
  const { stdout } = await run('ldd', [process.execPath]);
  for (const [path] of stdout.matchAll(/\/\S+\.so\S*/g)) {
    await mkdir(join(dir, dirname(path)), { recursive: true });
    await copyFile(path, join(dir, path));
  }
}
