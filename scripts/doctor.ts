/**
 * `npm run doctor`: looks at everything that renting needs, changes nothing, and says in plain lines
 * what is well and what to do where it is not. Exit code 1 where there is a fault.
 */
import type { Config } from '../functions/core/config.ts';
import { examineClock } from './doctor/clock.ts';
import { type Finding, lineOf } from './doctor/finding.ts';
import { examineProvider } from './doctor/providers.ts';
import { examinePublicAddress } from './doctor/public-address.ts';
import { examineSecrets, secretsMask } from './doctor/secrets.ts';
import { examineServices } from './doctor/services.ts';
import { installationConfig, openEveryProvider } from './installation.ts';

/** Prints what is found as soon as it and all before it are. @returns how many faults there are. */
async function examineAll(config: Config): Promise<number> {
  const opened = openEveryProvider(config);
  const isRemote = opened.some(({ isConfigured, provider }) => isConfigured && provider?.isRemote);
  const names = opened.map(({ name }) => name);
  const mask = secretsMask(config.AIMA_SECRETS_DIR);
  const sections: (Finding[] | Promise<Finding[]>)[] = [
    examineSecrets(config),
    examineServices(config),
    examinePublicAddress(config, isRemote),
    ...opened.map((one) => examineProvider(config, one)),
    examineClock(config, names),
  ];
  let faults = 0;
  for (const section of sections) {
    for (const finding of await section) {
      console.log(mask(lineOf(finding)));
      if (finding.isFault) faults++;
    }
  }
  return faults;
}

try {
  const faults = await examineAll(installationConfig(process.env));
  console.log(faults === 0 ? '\nAll is well.' : `\n${faults === 1 ? '1 fault' : `${faults} faults`}.`);
  process.exit(faults === 0 ? 0 : 1);
} catch (error) {
  console.error(`FAULT  ${(error as Error).message}`);
  process.exit(1);
}
