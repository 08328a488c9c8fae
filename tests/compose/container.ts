/**
 * A service of the compose file as a process that sees what it would see in its container: its own root
 * (read-only, with the volumes and files that the YAML mounts), its user, its capabilities, and a network with
 * the other services' names in it. The programs are this machine's. Needs root on Linux.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import path from 'node:path';
import type { ComposeService } from './compose-file.ts';

export interface Place {
  /** Holds the folders of volumes, and the roots that are put together. */
  dir: string;
  /** Where relative paths of the YAML begin. */
  composeDir: string;
  /** Name of a program in the image → its path on this machine. */
  programs: Readonly<Record<string, string>>;
  /** Files and folders that images bring: path in the container → path on this machine. */
  imageFiles: Readonly<Record<string, string>>;
  /** Lines of /etc/hosts. */
  hosts: string;
  /** Runs a command in the containers' network. */
  inNetwork(program: string, ...args: string[]): [program: string, args: string[]];
}

/** Mounts in a namespace of its own, so that nothing is left on the machine when the process ends. */
const PUT_TOGETHER = `
set -eu
root=$1; shift
mount -t tmpfs -o mode=755 tmpfs "$root"
for folder in usr bin sbin lib lib32 lib64; do
  if [ -L "/$folder" ]; then cp -P "/$folder" "$root/$folder"
  elif [ -d "/$folder" ]; then mkdir "$root/$folder"; mount --bind -o ro "/$folder" "$root/$folder"; fi
done
mkdir -p "$root/etc" "$root/proc" "$root/dev" "$root/programs" "$root/aima" "$root/run"
for file in passwd group nsswitch.conf ld.so.cache alternatives ssl; do
  if [ -e "/etc/$file" ]; then cp -a "/etc/$file" "$root/etc/"; fi
done
printf '%s' "$HOSTS" > "$root/etc/hosts"
mount --rbind /dev "$root/dev"
mount -t proc proc "$root/proc" 2>/dev/null || mount --rbind /proc "$root/proc"
while [ "$1" != -- ]; do
  kind=$1 source=$2 target=$root$3; shift 3
  if [ "$kind" = tmpfs ]; then mkdir -p "$target"; mount -t tmpfs -o mode=1777 tmpfs "$target"; continue; fi
  if [ -d "$source" ]; then mkdir -p "$target"; else mkdir -p "$(dirname "$target")"; : > "$target"; fi
  mount --bind "$source" "$target"
  if [ "$kind" = ro ]; then mount -o remount,bind,ro "$target"; fi
done
shift
mount -o remount,ro "$root"
exec chroot "$root" "$@"
`;

/** The service's own command, or another in the same surroundings, such as its health check. */
export function runIn(
  place: Place,
  name: string,
  service: ComposeService,
  command: readonly string[],
): ChildProcess {
  const root = mkdtempSync(path.join(place.dir, `${name}-`));
  const [uid, gid] = service.user.split(':');
  const capabilities = ['-all', ...service.cap_add.map((capability) => `+${capability.toLowerCase()}`)];
  const [program, args] = place.inNetwork(
    'unshare',
    '--mount',
    '--propagation=private',
    'sh',
    '-c',
    PUT_TOGETHER,
    'sh',
    root,
    ...mounts(place, service),
    '--',
    'setpriv',
    `--reuid=${uid}`,
    `--regid=${gid}`,
    '--clear-groups',
    '--no-new-privs',
    '--inh-caps=-all',
    `--bounding-set=${capabilities.join(',')}`,
    'sh',
    '-c',
    'cd /aima && exec "$@"',
    'sh',
    ...command,
  );
  const env = {
    PATH: '/programs:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    // What engines set for a user that the image does not know.
    HOME: '/',
    NODE_ENV: 'production',
    HOSTS: place.hosts,
    ...service.environment,
  };
  return spawn(program, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
}

function mounts({ dir, composeDir, programs, imageFiles }: Place, service: ComposeService): string[] {
  const given = service.volumes.flatMap((volume) => {
    const [source, target, mode] = volume.split(':');
    const isFile = source!.startsWith('.');
    const from = isFile ? path.resolve(composeDir, source!) : path.join(dir, 'volumes', source!);
    return [mode === 'ro' ? 'ro' : 'rw', from, target!];
  });
  return [
    ...Object.entries(programs).flatMap(([program, file]) => ['ro', file, `/programs/${program}`]),
    ...Object.entries(imageFiles).flatMap(([target, file]) => ['ro', file, target]),
    ...service.tmpfs.flatMap((target) => ['tmpfs', 'tmpfs', target]),
    ...given,
  ];
}
