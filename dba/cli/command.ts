import { isNativeError } from 'node:util/types';
import { Command } from 'commander';
import { UsageError } from '../../common/usageError.ts';
import { guard } from '../../postgres/target/guard.ts';
import { openTarget, type Target } from '../../postgres/target/target.ts';
import { hintOf } from '../migrations/hint.ts';
import { demandSameServer } from './sameServer.ts';

/** A verb of `npm run db --`, without its options and action. Where it cannot be understood the exit code is 2. */
export function command(name: string, description: string): Command {
  return new Command(name).description(description).exitOverride(({ exitCode }) => process.exit(exitCode && 2));
}

/**
 * The action of a verb that is about Hedgerow's database: opens it, runs the verb, closes it, sets the exit code. Refuses
 * a database that is not Hedgerow's, and a transaction pooler; an empty database is fine.
 *
 * @param verb receives the target, the options and then the arguments, as commander gives them.
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

/** As `onTarget`, for a verb that changes nothing and works on any database. */
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

/** Runs a verb and sets the exit code: what it answers, or 2 and a message where it could not run. */
export async function run(verb: () => Promise<number>): Promise<void> {
  try {
    process.exitCode = await verb();
  } catch (error) {
    console.error(isNativeError(error) ? describeError(error) : error);
    process.exitCode = 2;
  }
}

/** Postgres: somebody is connected to what is to be dropped. */
const objectInUse = '55006';

/** The message of an error and the next step. A stack is for mistakes in the program, whose errors are of other classes than Error, and have no code. */
export function describeError(error: Error & { readonly code?: unknown }): string | Error {
  const expected = error instanceof UsageError || error.code !== undefined || error.constructor.name === 'Error';
  if (!expected) return error;
  // A host with several addresses: Node says nothing of them together.
  if (error instanceof AggregateError && !error.message) return error.errors.map(({ message }) => message).join('; ');
  if (error.code === objectInUse) {
    return `${error.message}\nStop who is connected (npm start, watch, psql, the idle connections of a pooler) and try again.`;
  }
  return [error.message, hintOf(error.cause ?? error)].filter(Boolean).join('\n');
}
