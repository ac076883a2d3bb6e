import { UsageError } from '../common/usageError.ts';
import type { Finding } from '../lint/rule.ts';
import type { Target } from '../postgres/target/target.ts';
import { withClient } from '../postgres/withClient.ts';
import { lintSchema } from './servedApi/lintSchema.ts';

interface InspectOptions {
  /** The migrations whose text is linted, in addition to the schema. */
  readonly text: 'none' | 'current' | 'all';
  /** Whether to attack one tenant with another. This deletes all rows. */
  readonly attacks: boolean;
}

/**
 * Lints a copy of a database and, if requested, attacks it.
 *
 * @throws UsageError before any inspection, if attacks are requested and the prover is not installed.
 */
export async function inspect(
  target: Pick<Target, 'ownerUrl' | 'adminUrl' | 'serverUrl'>,
  { text, attacks }: InspectOptions,
): Promise<readonly Finding[]> {
  const attack = attacks ? await loadProver() : async () => [];
  const { findings } = await withClient(target.ownerUrl, (client) => lintSchema(client, text, target.serverUrl));
  return [...findings, ...(await attack(target))];
}

/** Loads the prover on demand: loading takes long, and a production installation does not contain it. */
async function loadProver() {
  try {
    return (await import('./attack.ts')).attack;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND') throw error;
    throw new UsageError('The prover is not installed here. Run this command from a checkout, after `npm install`.', {
      cause: error,
    });
  }
}
