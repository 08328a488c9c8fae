/** Asks the npm command line for what only it knows: registries, logins, proxies, certificates. */
import { execFile } from 'node:child_process';
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import type { NpmPackage } from './manifest.ts';
import { outsideEnvironment } from './outside-environment.ts';

/**
 * The address of the package's tarball at the registry that npm is set up for, scope by scope.
 * @throws Error where there is no npm, or it names no registry.
 */
export async function tarballUrl(source: NpmPackage, signal?: AbortSignal): Promise<string> {
  const [scope, bareName] = source.name.startsWith('@') ? source.name.split('/') : [null, source.name];
  const registry =
    (scope && (await npmSetting(`${scope}:registry`, signal))) ?? (await npmSetting('registry', signal));
  if (!registry) throw new Error('npm names no registry: npm config get registry');
  return new URL(
    `${source.name}/-/${bareName}-${source.version}.tgz`,
    registry.endsWith('/') ? registry : `${registry}/`,
  ).href;
}

/**
 * Lets npm download the tarball into `folder`, for registries that need what only npm knows.
 * No script of the package runs. Returns the file's path.
 */
export async function packWithNpm(source: NpmPackage, folder: string, signal?: AbortSignal): Promise<string> {
  const spec = `${source.name}@${source.version}`;
  await npm(['pack', spec, '--ignore-scripts', '--pack-destination', folder], signal);
  const tarball = (await readdir(folder)).find((name) => name.endsWith('.tgz'));
  if (!tarball) throw new Error(`npm pack ${spec} wrote no tarball`);
  return path.join(folder, tarball);
}

async function npmSetting(key: string, signal?: AbortSignal): Promise<string | null> {
  const value = (await npm(['config', 'get', key], signal)).trim();
  return URL.canParse(value) ? value : null;
}

async function npm(args: string[], signal?: AbortSignal): Promise<string> {
  // Set by npm for its scripts: the very npm that the user called.
  const script = process.env.npm_execpath;
  const [command, first] = script?.endsWith('.js') ? [process.execPath, [script]] : ['npm', []];
  const { stdout } = await promisify(execFile)(command, [...first, ...args], {
    env: outsideEnvironment(process.env),
    ...(signal ? { signal } : {}),
  });
  return stdout;
}
