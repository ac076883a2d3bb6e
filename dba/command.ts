import { Command } from 'commander';
import { openTarget, type Target } from './target.ts';
import { type ExitCode, UsageError } from './verb.ts';

/** A verb of `npm run db --`, without its options and action. Where it cannot be understood the exit code is 2. */
export function command(name: string, description: string): Command {
  return new Command(name).description(description).exitOverride(({ exitCode }) => process.exit(exitCode && 2));
}

/**
 * The action of a verb that is about a database: opens it, runs the verb, closes it, sets the exit code.
 *
 * @param verb receives the target, the options and then the arguments, as commander gives them.
 */
export function onTarget<Options = object, Arguments extends unknown[] = []>(
  verb: (target: Target, options: Options, ...args: Arguments) => Promise<ExitCode>,
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
export async function run(verb: () => Promise<ExitCode>): Promise<void> {
  try {
    process.exitCode = await verb();
  } catch (error) {
    const expected = error instanceof UsageError || (error as { code?: unknown }).code !== undefined;
    console.error(expected ? (error as Error).message : error);
    process.exitCode = 2;
  }
}
