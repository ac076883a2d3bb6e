import { withClient } from './client.ts';
import { lint } from './linter/lint.ts';
import type { Finding } from './linter/rule.ts';
import type { Target } from './target.ts';

interface What {
  /** Which migrations' text belongs to the question. */
  readonly text: 'none' | 'current' | 'all';
  /** Whether one tenant is attacked with another, for which all rows are removed. */
  readonly attacks: boolean;
}

/** Everything that is looked at before a copy of a database is trusted. */
export async function inspect(
  target: Pick<Target, 'ownerUrl' | 'adminUrl'>,
  { text, attacks }: What,
): Promise<readonly Finding[]> {
  const { findings } = await withClient(target.ownerUrl, (client) => lint(client, text));
  if (!attacks) return findings;
  // Only where it is wanted: the prover takes long to load.
  const { attack } = await import('./attack.ts');
  return [...findings, ...(await attack(target))];
}
