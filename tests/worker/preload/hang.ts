/** Loaded before a program: SIGUSR2 blocks its event loop for good, as native code that never returns does. */
process.on('SIGUSR2', () => {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
});
