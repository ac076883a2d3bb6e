import { withProgress } from './progress.ts';

/**
 * Runs `work`, printing the lines that it reports, and on stderr how long it has been at the last of them.
 *
 * @param what words for the work: "Migrating database hedgerow".
 */
export function withReport<Result>(
  what: string,
  work: (report: (line: string) => void) => Promise<Result>,
): Promise<Result> {
  console.log(what);
  let last = '';
  const report = (line: string) => {
    last = line;
    // The line that progress is written on.
    if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
    console.log(line);
  };
  return withProgress(
    what,
    () => work(report),
    async () => last,
  );
}
