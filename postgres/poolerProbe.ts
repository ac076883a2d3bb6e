import { randomBytes } from 'node:crypto';
import type pg from 'pg';
import { Batch } from './batch.ts';
import { PreparedStatements } from './prepared.ts';
import type { Result, Statement } from './statement.ts';

/** Comparisons of two sessions. On a pooler that nobody else uses the first one decides. */
const rounds = 5;

const pidOf: Statement = { text: 'select pg_backend_pid() as pid' };

/**
 * Whether a statement that `client` has prepared can be relied on.
 *
 * Postgres tells the process id of a session when it is opened. A pooler, which has many sessions, tells one of its own: where
 * the two agree there is no pooler, and one round trip is all that this costs. Behind a pooler a statement is prepared under
 * a random name. It must not be known to another session on the same backend, and must be known to this one on another
 * backend. PgBouncer since 1.21 with `max_prepared_statements`, and poolers in session mode, pass.
 *
 * @param openOther opens another session.
 * @throws what the connection reports.
 */
export async function keepsPreparedStatements(
  client: pg.ClientBase,
  openOther: () => Promise<pg.Client>,
): Promise<boolean> {
  const { processID } = client as unknown as { processID: number | null };
  const direct = await run(client, [pidOf]);
  if (pid(direct[0]) === processID) return true;

  const probe: Statement = { name: `hedgerow_probe_${randomBytes(8).toString('hex')}`, text: 'select 1' };
  const [home] = await run(client, [pidOf, probe]);
  let other: pg.Client | undefined;
  try {
    other = await openOther();
    for (let round = 0; round < rounds; round++) {
      const ours = await look(client, probe);
      if (!ours.known || ours.pid !== pid(home)) return ours.known;
      const theirs = await look(other, probe);
      if (theirs.known || theirs.pid === pid(home)) return !theirs.known;
    }
  } catch (error) {
    // The other session failed, which tells nothing; a fault of `client` itself is its caller's.
    if (!(client as unknown as { _queryable: boolean })._queryable) throw error;
  } finally {
    other?.end().catch(() => {});
  }
  return true;
}

/** The backend that `client` has for one transaction, and whether `probe` is prepared there for it. */
async function look(client: pg.ClientBase, probe: Statement): Promise<{ pid: unknown; known: boolean }> {
  const [, backend] = await run(client, [{ text: 'begin' }, pidOf]);
  // It is taken for prepared, whatever was learned before, so that it is bound and not parsed.
  PreparedStatements.of((client as unknown as { connection: object }).connection).keep([probe], []);
  try {
    await run(client, [probe]);
    return { pid: pid(backend), known: true };
  } catch (error) {
    // Postgres says 26000. PgBouncer that tracks statements ends the session of a client that it knows none of.
    const { code, message } = error as pg.DatabaseError;
    if (code !== '26000' && !/prepared statement/.test(message)) throw error;
    return { pid: pid(backend), known: false };
  } finally {
    await run(client, [{ text: 'rollback' }]).catch(() => {});
  }
}

function pid(result: Result<unknown> | undefined): unknown {
  return (result as Result<{ pid: number }> | undefined)?.rows[0]?.pid;
}

function run(client: pg.ClientBase, statements: readonly Statement[]): Promise<Result<unknown>[]> {
  const batch = new Batch(statements, true);
  client.query(batch as never);
  return batch.done;
}
