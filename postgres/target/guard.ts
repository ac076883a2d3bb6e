import type pg from 'pg';
import { UsageError } from '../../common/usageError.ts';
import { readCommitted } from '../migrate/committed.ts';
import { newClient } from '../withClient.ts';
import { foreignDatabase } from './foreignDatabase.ts';
import { neonPooler, transactionPooler } from './pooler.ts';

/** Connection errors that mean there is nothing to protect: the database does not exist, or no server answers. */
const nothingThere = ['3D000', 'ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'ENETUNREACH', 'EHOSTUNREACH', 'ETIMEDOUT'];

/**
 * Rejects targets that a command must not change: a transaction pooler, and a foreign database that is not empty. If no
 * server answers, the command decides, because it may not need the database.
 *
 * @param name the environment variable of `url`.
 * @param more returns further reasons to reject the database.
 * @throws UsageError with the reason and advice.
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
    if (nothingThere.includes((error as { code?: string }).code ?? '')) return;
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
