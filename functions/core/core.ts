/**
 * What every function of a process shares: configuration, database, bucket, publisher, providers.
 * Each is opened when it is first used and kept for the life of the process, so that a function
 * needs only the secrets of what it uses.
 */
import { type Config, loadConfig } from './config.ts';
import { openDatabase, type Sql } from './database.ts';
import { openPublisher, type Publisher } from './events/publisher.ts';
import { openProviders, type Providers } from './providers/providers.ts';
import { type Bucket, openBucket } from './storage/bucket.ts';

export interface Core {
  readonly config: Config;
  readonly sql: Sql;
  readonly bucket: Bucket;
  readonly publisher: Publisher;
  readonly providers: Providers;
}

/** @throws Error, at the first use of a part, that names what is missing in its configuration. */
export function openCore(config: Config): Core {
  const parts = new Map<string, unknown>();
  const once = <T>(name: string, open: (config: Config) => T): T => {
    if (!parts.has(name)) parts.set(name, open(config));
    return parts.get(name) as T;
  };
  return {
    config,
    get sql() {
      return once('sql', openDatabase);
    },
    get bucket() {
      return once('bucket', openBucket);
    },
    get publisher() {
      return once('publisher', openPublisher);
    },
    get providers() {
      return once('providers', openProviders);
    },
  };
}

let opened: Core | undefined;

/** The core of this process. */
export function core(): Core {
  opened ??= openCore(loadConfig());
  return opened;
}
