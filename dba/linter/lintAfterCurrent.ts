import { withClient } from '../client.ts';
import type { Target } from '../target.ts';
import { lint } from './lint.ts';
import { printReport } from './report.ts';

/**
 * Prints graphile-migrate's messages, and what there is to say of the target's schema each time that current.sql was
 * applied. Nothing that goes wrong here stops who writes.
 *
 * @returns what receives the messages, and what waits for inspections that have begun: whether the last one was through
 * and has found no error.
 */
export function lintAfterCurrent({ ownerUrl }: Target): {
  report: (line: string) => void;
  linted: () => Promise<boolean>;
} {
  let last = Promise.resolve(true);
  return {
    report: (line) => {
      console.log(line);
      // Its hooks are not called where only a comment has changed, which may be one that allows something.
      if (/^\[[^\]]*\]: Finished \(/.test(line)) last = last.then(() => lintNow(ownerUrl));
    },
    linted: () => last,
  };
}

async function lintNow(url: string): Promise<boolean> {
  try {
    const report = await withClient(url, (client) => lint(client, 'current'));
    printReport(report);
    return report.findings.every(({ level }) => level !== 'error');
  } catch (error) {
    console.error((error as Error).message);
    return false;
  }
}
