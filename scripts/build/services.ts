/**
 * The always-on programs and the set-up steps as modules that share what they have in common, so
 * that functions that our gateway hosts share one database pool, as they do from source.
 */
import path from 'node:path';
import { build } from 'esbuild';
import { addThreads, common, esm } from './options.ts';
import { type BundleSize, sizeOf } from './size.ts';

const programs: Record<string, string> = {
  bridge: 'infra/objects/bridge/main.ts',
  broker: 'infra/broker/main.ts',
  bucket: 'infra/objects/main.ts',
  certificate: 'infra/certificate/main.ts',
  connector: 'infra/connector/main.ts',
  database: 'infra/postgres/main.ts',
  gateway: 'infra/embedded/gateway/main.ts',
  secrets: 'infra/secrets/main.ts',
};

/** @param functions names of those that the gateway hosts. */
export async function bundleServices(functions: readonly string[], dir: string): Promise<BundleSize[]> {
  const handlers = functions.map((name) => [`functions/${name}/handler`, `functions/${name}/handler.ts`]);
  const { metafile } = await build({
    ...common,
    ...esm,
    splitting: true,
    entryPoints: { ...programs, ...Object.fromEntries(handlers) },
    outdir: dir,
  });
  await addThreads(metafile, dir);
  return Promise.all(
    Object.keys(programs).map((name) => sizeOf(`${name}.mjs`, path.join(dir, `${name}.mjs`))),
  );
}
