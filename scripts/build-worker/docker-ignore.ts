/** Whether .dockerignore keeps a file from the build: the last pattern that matches it or a folder above it decides. */
/** @param text of the file. @returns for a path in the repository, whether the build sees it. */
export function readDockerIgnore(text: string): (file: string) => boolean {
  const patterns = text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => ({ keeps: line.startsWith('!'), path: matcher(line.replace(/^!/, '')) }));
  return (file) => {
    const parts = file.split('/');
    const places = parts.map((_, i) => parts.slice(0, i + 1).join('/'));
    const last = patterns.findLast(({ path }) => places.some((place) => path.test(place)));
    return last?.keeps ?? true;
  };
}

/** Docker's `*` stands for names that begin with a dot too. */
function matcher(pattern: string): RegExp {
  const parts = pattern.split('*').map((part) => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`^${parts.join('[^/]*')}$`);
}
