import { UsageError } from '../common/usageError.ts';
import type { Finding } from '../lint/rule.ts';
import type { Target } from '../postgres/target/target.ts';
import { withClient } from '../postgres/withClient.ts';
import { lintSchema } from './servedApi/lintSchema.ts';

interface What {
  /** Which migrations' text belongs to the question. */
  readonly text: 'none' | 'current' | 'all';
  /** Whether one tenant is attacked with another, for which all rows are removed. */
  readonly attacks: boolean;
}

/**
 * Everything that is looked at before a copy of a database is trusted.
 *
 * @throws UsageError where the prover is wanted and not there, before anything is looked at.
 */
export async function inspect(
  target: Pick<Target, 'ownerUrl' | 'adminUrl' | 'serverUrl'>,
  { text, attacks }: What,
): Promise<readonly Finding[]> {
  const attack = attacks ? await prover() : async () => [];
  const { findings } = await withClient(target.ownerUrl, (client) => lintSchema(client, text, target.serverUrl));
  return [...findings, ...(await attack(target))];
}

/** Loaded only where it is wanted, for it takes long; and what is installed for production has none. */
async function prover() {
  try {
    return (await import('./attack.ts')).attack;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND') throw error;
    throw new UsageError('the prover is not installed here: run this from a checkout after `npm install`', {
      cause: error,
    });
  }
}
