/**
 * What the system costs while nothing happens. Figures that a budget (idle/budget.json) limits are
 * checked in every test run too (tests/project/budget.test.ts), but for those that take a clock.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { simulatedProviders } from '../../tests/providers/simulated.ts';
import { type Stack, startStack } from '../../tests/stack/start-stack.ts';
import { figure } from './figures.ts';
import { embeddedUsage } from './idle/embedded.ts';
import { functionsIdle } from './idle/functions.ts';
import { idleHour } from './idle/hour.ts';
import { ticksPerSecond } from './idle/memory.ts';

/** Time for start-up work to end, and then time to measure. */
const settleMs = 30_000;
const measureMs = 60_000;

export async function run(): Promise<void> {
  const stack = await startStack({ models: false });
  try {
    await embedded(stack);
    await functions(stack);
  } finally {
    await stack.remove();
  }
  for (const provider of simulatedProviders) {
    const { writesPerMin, providerCallsPerHour } = await idleHour(provider);
    figure(`idle_writes_per_min_${provider.name}`, writesPerMin);
    figure(`idle_provider_calls_per_h_${provider.name}`, providerCallsPerHour);
  }
}

/** Memory and CPU of every process of `npm start`. */
async function embedded(stack: Stack): Promise<void> {
  await sleep(settleMs);
  const before = await embeddedUsage(stack);
  await sleep(measureMs);
  const after = await embeddedUsage(stack);
  const total = { rssMb: 0, pssMb: 0, cpuPercent: 0 };
  for (const [name, { rssMb, pssMb, cpuTicks }] of Object.entries(after)) {
    const cpuPercent = ((cpuTicks - before[name]!.cpuTicks) / ticksPerSecond / (measureMs / 1000)) * 100;
    figure(`idle_rss_mb_${name}`, rssMb);
    figure(`idle_pss_mb_${name}`, pssMb);
    figure(`idle_cpu_percent_${name}`, cpuPercent);
    total.rssMb += rssMb;
    total.pssMb += pssMb;
    total.cpuPercent += cpuPercent;
  }
  figure('idle_rss_mb', total.rssMb);
  figure('idle_pss_mb', total.pssMb);
  figure('idle_cpu_percent', total.cpuPercent);
}

/** The functions and the connector as a server with containers has them. */
async function functions(stack: Stack): Promise<void> {
  const { memory, coldStartMs, bundleKbMax } = await functionsIdle(stack);
  for (const [name, { rssMb, pssMb }] of Object.entries(memory)) {
    figure(`function_rss_mb_${name}`, rssMb);
    figure(`function_pss_mb_${name}`, pssMb);
  }
  const all = Object.values(memory);
  figure(
    'functions_rss_mb',
    all.reduce((sum, { rssMb }) => sum + rssMb, 0),
  );
  figure(
    'functions_pss_mb',
    all.reduce((sum, { pssMb }) => sum + pssMb, 0),
  );
  for (const [name, ms] of Object.entries(coldStartMs)) figure(`cold_start_ms_${name}`, ms);
  figure('cold_start_ms', Math.max(...Object.values(coldStartMs)));
  figure('bundle_kb_max', bundleKbMax);
}
