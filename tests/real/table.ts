/** The last of `npm run test:real`: which parts it ran against, which were not here, and how many tests that cost. */
import type { Reporter, TestModule } from 'vitest/node';
import { findPart, howToGet, partNames } from './parts.ts';

export default class PartsTable implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const lines = partNames.map((name) => {
      const part = findPart(name);
      const said = part ? `${part.path}  ${part.version}` : `not here, skipped: ${howToGet(name)}`;
      return `  ${name.padEnd(12)} ${said}`;
    });
    const tests = modules.flatMap((module) => [...module.children.allTests()]);
    const skipped = tests.filter((test) => test.result().state === 'skipped').length;
    process.stdout.write(
      `\nThird-party parts\n${lines.join('\n')}\n${skipped} tests skipped for want of a part\n`,
    );
  }
}
