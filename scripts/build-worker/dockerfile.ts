/** What a Dockerfile copies out of the repository, stage by stage: as much of the format as ours use. */
import { readFileSync } from 'node:fs';

export interface Copy {
  /** Paths in the repository. */
  from: string[];
  /** Path in the image, absolute. */
  to: string;
}

export interface Stage {
  name: string | null;
  /** Copies from the repository; those from other stages are left out. */
  copies: Copy[];
}

/** @throws Error for a COPY that names fewer than two paths. */
export function readDockerfile(path: string): Stage[] {
  const stages: Stage[] = [];
  let workdir = '/';
  for (const line of readFileSync(path, 'utf8').replaceAll('\\\n', ' ').split('\n')) {
    const [instruction, ...words] = line.trim().split(/\s+/);
    if (instruction === 'FROM') {
      // Those of this repository set their WORKDIR in each chain of stages, to the same folder.
      stages.push({ name: words[1] === 'AS' ? words[2]! : null, copies: [] });
    } else if (instruction === 'WORKDIR') workdir = words[0]!;
    else if (instruction === 'COPY' && !words.some((word) => word.startsWith('--from='))) {
      const paths = words.filter((word) => !word.startsWith('--'));
      const to = paths.pop();
      if (!to || paths.length === 0) throw new Error(`${path}: ${line}`);
      stages.at(-1)!.copies.push({ from: paths, to: new URL(to, `file://${workdir}/`).pathname });
    }
  }
  return stages;
}

/** Whether a file of the repository is among what a stage copies. */
export function isCopied(stage: Stage, file: string): boolean {
  return stage.copies.some(({ from }) => from.some((path) => file === path || file.startsWith(`${path}/`)));
}
