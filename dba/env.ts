import type { Target } from './target.ts';
import type { ExitCode } from './verb.ts';

/** Prints what `graphile-migrate` itself reads, so that its own command line works on the same database with `.gmrc`. */
export async function env({ ownerUrl, shadowUrl, adminUrl }: Target): Promise<ExitCode> {
  const variables = { DATABASE_URL: ownerUrl, SHADOW_DATABASE_URL: shadowUrl, ROOT_DATABASE_URL: adminUrl };
  for (const [name, value] of Object.entries(variables)) {
    if (value) console.log(`export ${name}='${value.replaceAll("'", "'\\''")}'`);
  }
  return 0;
}
