import { readConfig } from './config.ts';
import { startS3Server } from './server.ts';

/**
 * The object store as a process. Prints one line when it is ready and tells a parent process its port; ends cleanly
 * on SIGTERM or SIGINT; ends with status 1 when its journal cannot be written, to be started again from what is on
 * disk.
 */

const log = (line: string): void => console.error(`objects: ${line}`);

try {
  const options = await readConfig(process.env);
  const server = await startS3Server({
    ...options,
    log,
    onFatal: (error) => {
      log(`the journal cannot be written, ending: ${error}`);
      process.exit(1);
    },
  });
  const end = (): void => {
    server.close().then(
      () => process.exit(0),
      (error) => {
        log(`could not end cleanly: ${error}`);
        process.exit(1);
      },
    );
  };
  process.once('SIGTERM', end);
  process.once('SIGINT', end);
  process.once('disconnect', end); // the parent process is gone: nothing would ever end this one
  console.log(`objects ready on http://${options.host}:${server.port}`);
  process.send?.({ type: 'ready', port: server.port });
} catch (error) {
  log(error instanceof Error ? error.message : String(error));
  process.exit(1);
}
