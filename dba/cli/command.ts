import { isNativeError } from 'node:util/types';
import { Command } from 'commander';
import { UsageError } from '../../common/usageError.ts';
import { guard } from '../../postgres/target/guard.ts';
import { openTarget, type Target } from '../../postgres/target/target.ts';
import { hintOf } from '../migrations/hint.ts';
import { demandSameServer } from './sameServer.ts';

/** Creates a subcommand of `npm run db --`; the caller adds options and action. Invalid usage exits with code 2. */
export function command(name: string, description: string): Command {
  return new Command(name).description(description).exitOverride(({ exitCode }) => process.exit(exitCode && 2));
}

/**
 * Creates the action of a subcommand that works on Hedgerow's database. The action opens the target, runs the
 * subcommand, closes the target and sets the exit code. It rejects transaction poolers and databases that are not
 * Hedgerow's; an empty database is allowed.
 *
 * @param verb receives the target, the options and then the arguments, in commander's order.
 */
export function onTarget<Options = object, Arguments extends unknown[] = []>(
  verb: (target: Target, options: Options, ...args: Arguments) => Promise<number>,
): (...given: unknown[]) => Promise<void> {
  return onAnyTarget<Options, Arguments>(async (target, ...given) => {
    await guard('DATABASE_URL_DIRECT', target.ownerUrl);
    await demandSameServer(target);
    return verb(target, ...given);
  });
}

/** Like `onTarget`, but without the checks: for a subcommand that is safe on any database or makes the checks itself. */
export function onAnyTarget<Options = object, Arguments extends unknown[] = []>(
  verb: (target: Target, options: Options, ...args: Arguments) => Promise<number>,
): (...given: unknown[]) => Promise<void> {
  return (...given) =>
    run(async () => {
      const args = given.slice(0, -2) as Arguments;
      const target = await openTarget(process.env);
      try {
        return await verb(target, given.at(-2) as Options, ...args);
      } finally {
        await target.close();
      }
    });
}

/** Runs a subcommand and sets the exit code to its result. If it throws, prints the error and sets the code to 2. */
export async function run(verb: () => Promise<number>): Promise<void> {
  try {
    process.exitCode = await verb();
  } catch (error) {
    console.error(isNativeError(error) ? describeError(error) : error);
    process.exitCode = 2;
  }
}

/** SQLSTATE object_in_use: a session is connected to the database that a statement drops or renames. */
const objectInUse = '55006';

/**
 * Formats an error for the terminal: its message and, if known, the next step. Returns a programming error unchanged, so
 * that the terminal shows its stack. Such an error has no code and is of a subclass of Error, such as TypeError.
 */
export function describeError(error: Error & { readonly code?: unknown }): string | Error {
  const expected = error instanceof UsageError || error.code !== undefined || error.constructor.name === 'Error';
  if (!expected) return error;
  // If a host has several addresses, Node throws an AggregateError with an empty message.
  if (error instanceof AggregateError && !error.message) return error.errors.map(({ message }) => message).join('; ');
  if (error.code === objectInUse) {
    return `${error.message}\nClose the other connections (npm start, watch, psql, a pooler's idle connections) and try again.`;
  }
  return [error.message, hintOf(error.cause ?? error)].filter(Boolean).join('\n');
}
