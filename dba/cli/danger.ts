import { createInterface } from 'node:readline/promises';
import type { Command } from 'commander';
import { UsageError } from '../../common/usageError.ts';

/** Options that confirm a dangerous verb in advance. */
export interface Permission {
  readonly yes?: boolean;
  readonly forceProduction?: boolean;
}

/** Gives a verb the options that `allowed` reads. */
export function dangerous(command: Command): Command {
  return command.option('--yes', 'do not ask').option('--force-production', 'go on although NODE_ENV is production');
}

/**
 * Asks before something that cannot be taken back.
 *
 * @param what a sentence about what happens to which database: "This erases database x on y."
 * @returns whether to go on.
 * @throws UsageError in production without --force-production, and where nobody can be asked.
 */
export async function allowed(what: string, { yes, forceProduction }: Permission): Promise<boolean> {
  if (process.env.NODE_ENV === 'production' && !forceProduction) {
    throw new UsageError(`${what} NODE_ENV is production: say --force-production if you mean it.`);
  }
  if (yes) return true;
  if (!process.stdin.isTTY) throw new UsageError(`${what} There is no terminal to ask on: say --yes.`);
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const answer = await terminal.question(`${what} Go on? (y/N) `);
    if (/^y(es)?$/i.test(answer)) return true;
    console.error('Nothing was changed.');
    return false;
  } finally {
    terminal.close();
  }
}
