/**
 * How long money runs for nothing: from the end of an upload until a worker was asked for, and from
 * the committed result until the provider was asked to end it. Jobs come one after the other, each
 * with an instance of its own, and ask for `metadata`, which does nothing that costs.
 *
 *   npm run bench -- latency 200               workers as processes of this machine
 *   npm run bench -- latency 60 runpod-pods    machines of a simulated provider, which run the same program
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { connect } from '../../functions/core/database.ts';
import { modelsDir } from '../../gpu-worker/models/model-folder.ts';
import { image, simulatedProviders } from '../../tests/providers/simulated.ts';
import { realClock } from '../../tests/providers/simulator/clock.ts';
import { processContainer } from '../../tests/providers/simulator/process-container.ts';
import { startStack } from '../../tests/stack/start-stack.ts';
import { figure, percentile } from './figures.ts';
import { wav } from './wav.ts';

export async function run([jobs = '200', provider]: string[]): Promise<void> {
  const simulated = provider === undefined ? null : await simulate(provider);
  const stack = await startStack({
    models: false,
    ...(simulated ? { env: simulated.environment, secrets: simulated.secrets } : {}),
  });
  const sql = connect(stack.databaseUrl, { max: 1 });
  const uploadedAtMs = new Map<string, number>();
  try {
    for (let n = 0; n < Number(jobs); n++) {
      const answer = await fetch(`${stack.gatewayUrl}/function/submit-job`, {
        method: 'POST',
        headers: { authorization: `Bearer ${stack.apiToken}`, 'content-type': 'application/json' },
        body: JSON.stringify({ name: 'tone.wav', preset: 'metadata' }),
      });
      const { jobs: made } = (await answer.json()) as { jobs: { jobId: string; upload: { url: string } }[] };
      const { jobId, upload } = made[0]!;
      const put = await fetch(upload.url, { method: 'PUT', body: wav });
      if (!put.ok) throw new Error(`the upload was answered ${put.status}: ${await put.text()}`);
      uploadedAtMs.set(jobId, Date.now());
      await ended(jobId);
    }
    const rows = await sql<{ jobId: string; askedAt: Date; committedToAskedMs: number }[]>`
      select j.job_id, i.created_at as asked_at,
        extract(epoch from i.terminate_asked_at - j.finished_at)::float8 * 1000 as committed_to_asked_ms
      from jobs j join attempts a using (job_id) join instances i on i.instance_id = a.instance_id
      where j.state = 'succeeded'`;
    if (rows.length !== Number(jobs)) throw new Error(`${rows.length} of ${jobs} jobs succeeded`);
    const m1 = rows.map((row) => row.askedAt.getTime() - uploadedAtMs.get(row.jobId)!);
    const m4 = rows.map((row) => row.committedToAskedMs);
    figure('m1_p50_ms', percentile(m1, 0.5));
    figure('m1_p99_ms', percentile(m1, 0.99));
    figure('m4_p50_ms', percentile(m4, 0.5));
    figure('m4_p99_ms', percentile(m4, 0.99));
  } finally {
    await sql.end();
    await stack.remove();
    await simulated?.simulator.close();
  }

  /** Its instance is gone too: the next job needs a new one. */
  async function ended(jobId: string): Promise<void> {
    for (;;) {
      const [row] = await sql<{ state: string; living: boolean }[]>`
        select state, exists (select from instances where state <> 'terminated') as living from jobs where job_id = ${jobId}`;
      if (row!.state === 'failed') throw new Error(`job ${jobId} failed`);
      if (row!.state === 'succeeded' && !row!.living) return;
      await sleep(20);
    }
  }
}

/** A provider that accepts and pulls at once: what is measured is our own time, and one call to it. */
async function simulate(name: string) {
  const known = simulatedProviders.find((one) => one.name === name);
  if (!known)
    throw new Error(`there is no simulated ${name}: ${simulatedProviders.map((one) => one.name).join(', ')}`);
  const running = await known.start({
    clock: realClock,
    startContainer: processContainer({ modelsDir: modelsDir(process.env) }),
    acceptMs: 0,
    pullMs: 0,
  });
  const environment = {
    AIMA_PROVIDERS: name,
    AIMA_PUBLIC_HOST: '127.0.0.1',
    AIMA_WORKER_IMAGE: image,
    // Any free ones, as the other ports of the stack.
    AIMA_PUBLIC_MQTT_PORT: '0',
    AIMA_PUBLIC_S3_PORT: '0',
    ...running.environment,
  };
  return { ...running, environment };
}
