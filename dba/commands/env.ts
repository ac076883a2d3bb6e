import type { ExitCode } from '../../common/usageError.ts';
import type { Target } from '../../postgres/target/target.ts';
import { command, onTarget } from '../cli/command.ts';

export const envCommand = command(
  'env',
  "print the environment variables for graphile-migrate's own CLI; the embedded Postgres must run (npm start)",
).action(onTarget(env));

/** Prints the variables that `graphile-migrate` reads, so that its own CLI works on the same database with `.gmrc`. */
async function env({ ownerUrl, shadowUrl, adminUrl }: Target): Promise<ExitCode> {
  const variables = { DATABASE_URL: ownerUrl, SHADOW_DATABASE_URL: shadowUrl, ROOT_DATABASE_URL: adminUrl };
  for (const [name, value] of Object.entries(variables)) {
    if (value) console.log(`export ${name}='${value.replaceAll("'", "'\\''")}'`);
  }
  return 0;
}
