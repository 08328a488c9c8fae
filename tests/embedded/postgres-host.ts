/** A parent for Postgres that a test can kill: starts it, prints `{url, pid}`, stops it on SIGTERM. */

import { startPostgres } from '../../infra/embedded/postgres/start.ts';

const [dataDir, port] = process.argv.slice(2);
const server = await startPostgres({
  dataDir: dataDir!,
  port: Number(port),
  superuserPassword: 'secret of the tests',
  log: (line) => console.error(line),
});
console.log(JSON.stringify({ url: server.url, pid: server.pid }));
process.on('SIGTERM', async () => {
  await server.stop();
  process.exit(0);
});
