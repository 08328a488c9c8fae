/**
 * Loaded before a service's own program (node --import): when the supervisor is gone, however it
 * went, the IPC channel closes and the service ends as on SIGTERM. Otherwise a killed supervisor
 * would leave programs behind that hold the ports.
 */

const FORCE_AFTER_MS = 10_000;

process.once('disconnect', () => {
  setTimeout(() => process.exit(1), FORCE_AFTER_MS).unref();
  process.kill(process.pid, 'SIGTERM');
});
// Listening must not keep a program alive that has otherwise finished.
process.channel?.unref();
