import { styleText } from 'node:util';

/** Problems that a person gets to read at once. */
const shown = 20;

/** Prints a line for each problem, or the first of them where they are many. */
export function reportProblems(problems: readonly string[]): void {
  for (const problem of problems.slice(0, shown)) console.log(`${styleText('red', '✗')} ${problem}`);
  if (problems.length > shown) console.log(`… and ${problems.length - shown} more; --json tells them all`);
}
