/**
 * Whether the container's worker is there (Docker's HEALTHCHECK): its first process is the program that
 * watches, and the worker is its child, or, at RunPod Serverless, waits for a lease. Whether it is of
 * any use only the server knows, by its heartbeat.
 */
import { readFileSync } from 'node:fs';

const commandOf = (pid: string) => readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
const children = readFileSync('/proc/1/task/1/children', 'utf8').trim().split(' ').filter(Boolean);
const runs = (pid: string, program: string) => commandOf(pid).some((word) => word.endsWith(program));

const isWell =
  runs('1', 'gpu-worker/serverless.ts') ||
  (runs('1', 'gpu-worker/main.ts') && children.some((pid) => runs(pid, 'gpu-worker/work.ts')));
process.exit(isWell ? 0 : 1);
