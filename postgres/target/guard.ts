import type pg from 'pg';
import { UsageError } from '../../common/usageError.ts';
import { readCommitted } from '../migrate/committed.ts';
import { newClient } from '../withClient.ts';
import { foreignDatabase } from './foreignDatabase.ts';
import { neonPooler, transactionPooler } from './pooler.ts';

/** Errors of connecting that say that there is nothing to protect: no such database, or nobody there. */
const nobody = ['3D000', 'ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'ENETUNREACH', 'EHOSTUNREACH', 'ETIMEDOUT'];

/**
 * Refuses what must not be worked on: a transaction pooler, and a database that is not Hedgerow's and not empty. Where
 * nobody answers it is left to the verb, which may not need the database.
 *
 * @param name of the variable that `url` is from.
 * @param more looks for more reasons to refuse it.
 * @throws UsageError with what was found and what to do.
 */
export async function guard(
  name: string,
  url: string,
  more: (client: pg.Client) => Promise<string | undefined> = async () => undefined,
): Promise<void> {
  const neon = neonPooler(name, url);
  if (neon) throw new UsageError(neon);
  const client = newClient(url);
  try {
    await client.connect();
  } catch (error) {
    if (nobody.includes((error as { code?: string }).code ?? '')) return;
    throw error;
  }
  try {
    const problem =
      (await transactionPooler(name, url, client)) ??
      (await foreignDatabase(client, (await readCommitted()).migrations)) ??
      (await more(client));
    if (problem) throw new UsageError(problem);
  } finally {
    await client.end();
  }
}
