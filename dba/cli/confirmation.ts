import { createInterface } from 'node:readline/promises';
import type { Command } from 'commander';
import { UsageError } from '../../common/usageError.ts';

/** Options that confirm a destructive subcommand in advance. */
export interface Confirmation {
  readonly yes?: boolean;
  readonly forceProduction?: boolean;
}

/** Adds the options that `confirm` reads. */
export function withConfirmation(command: Command): Command {
  return command
    .option('--yes', 'do not ask for confirmation')
    .option('--force-production', 'continue even if NODE_ENV is production');
}

/**
 * Asks for confirmation before an operation that cannot be undone.
 *
 * @param consequence a sentence that names the effect and the database: "This erases database x on y."
 * @returns whether to continue.
 * @throws UsageError in production without --force-production, and without --yes if stdin is not a terminal.
 */
export async function confirm(consequence: string, { yes, forceProduction }: Confirmation): Promise<boolean> {
  if (process.env.NODE_ENV === 'production' && !forceProduction) {
    throw new UsageError(`${consequence} NODE_ENV is production. To continue anyway, add --force-production.`);
  }
  if (yes) return true;
  if (!process.stdin.isTTY)
    throw new UsageError(`${consequence} There is no terminal to ask for confirmation. To continue, add --yes.`);
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const answer = await terminal.question(`${consequence} Continue? (y/N) `);
    if (/^y(es)?$/i.test(answer)) return true;
    console.error('Nothing was changed.');
    return false;
  } finally {
    terminal.close();
  }
}
