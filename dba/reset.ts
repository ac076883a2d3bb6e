import { createInterface } from 'node:readline/promises';
import { reset as resetDatabase } from 'graphile-migrate';
import { migrateSettings } from './migrateSettings.ts';
import type { Target } from './target.ts';
import type { ExitCode } from './verb.ts';
import { UsageError } from './verb.ts';

/** Drops the target, creates it anew and applies the committed migrations. Never in production. */
export async function reset(target: Target, yes: boolean): Promise<ExitCode> {
  if (process.env.NODE_ENV === 'production')
    throw new UsageError('reset erases the database and refuses in production.');
  if (!target.adminUrl) throw new UsageError('Set ROOT_DATABASE_URL to a role that may drop and create databases.');
  if (!yes && !(await confirm(`This erases ${target.name}. Go on?`))) {
    console.log('Nothing was changed.');
    return 1;
  }
  await resetDatabase(await migrateSettings(target, console.log));
  return 0;
}

async function confirm(question: string): Promise<boolean> {
  if (!process.stdin.isTTY) throw new UsageError('There is no terminal to ask on: say --yes.');
  const terminal = createInterface({ input: process.stdin, output: process.stdout });
  try {
    return /^y(es)?$/i.test(await terminal.question(`${question} (y/N) `));
  } finally {
    terminal.close();
  }
}
