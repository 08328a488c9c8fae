/** As much of `sh` as a script of plain commands needs: words, single quotes, line breaks. A redirection is a word. */

/**
 * The commands of a script, each as its words.
 * @throws Error where a real shell would put something else in a word's place.
 */
export function commandsOf(script: string): string[][] {
  const commands: string[][] = [];
  let words: string[] = [];
  let word: string | null = null;
  const endWord = () => {
    if (word !== null) words.push(word);
    word = null;
  };
  const endCommand = () => {
    endWord();
    if (words.length > 0) commands.push(words);
    words = [];
  };
  for (let at = 0; at < script.length; at++) {
    const char = script[at]!;
    if (char === "'") {
      const end = script.indexOf("'", at + 1);
      if (end < 0) throw new Error('unterminated quoted string');
      word = (word ?? '') + script.slice(at + 1, end);
      at = end;
    } else if (char === '\\') word = (word ?? '') + script[++at];
    else if (char === '\n') endCommand();
    else if (char === ' ') endWord();
    else if (/[$`"*?[\]();|#~!]/.test(char)) throw new Error(`unexpected ${char}`);
    else word = (word ?? '') + char;
  }
  endCommand();
  return commands;
}
