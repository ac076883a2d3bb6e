import { randomBytes } from 'node:crypto';
import type pg from 'pg';
import { Batch } from './batch.ts';
import { connectionOf, isQueryable, processIdOf } from './internals/nodePostgres.ts';
import { PreparedStatements } from './prepared.ts';
import type { Result, Statement } from './statement.ts';

/** Comparisons of two sessions. On a pooler without other clients, the first one decides. */
const rounds = 5;

const selectPid: Statement = { text: 'select pg_backend_pid() as pid' };

/**
 * Tests whether the server keeps prepared statements for `client`.
 *
 * Postgres announces the process id of a session at its start. A pooler announces an id of its own. If the announced id is
 * the backend's, there is no pooler, and the test costs one round trip. Behind a pooler, the test prepares a statement under
 * a random name. Another session on the same backend must not know this name. This session must know it on another
 * backend. PgBouncer since 1.21 with `max_prepared_statements` passes, and so do poolers in session mode.
 *
 * @param openOther opens another session.
 * @throws the error of the connection.
 */
export async function keepsPreparedStatements(
  client: pg.ClientBase,
  openOther: () => Promise<pg.Client>,
): Promise<boolean> {
  const direct = await run(client, [selectPid]);
  if (pid(direct[0]) === processIdOf(client)) return true;

  const probe: Statement = { name: `hedgerow_probe_${randomBytes(8).toString('hex')}`, text: 'select 1' };
  const [home] = await run(client, [selectPid, probe]);
  let other: pg.Client | undefined;
  try {
    other = await openOther();
    for (let round = 0; round < rounds; round++) {
      const ours = await findProbe(client, probe);
      if (!ours.known || ours.pid !== pid(home)) return ours.known;
      const theirs = await findProbe(other, probe);
      if (theirs.known || theirs.pid === pid(home)) return !theirs.known;
    }
  } catch (error) {
    // A failure of the other session proves nothing. A failure of `client` itself goes to the caller.
    if (!isQueryable(client)) throw error;
  } finally {
    other?.end().catch(() => {});
  }
  return true;
}

/** Returns the backend of one transaction of `client`, and whether `probe` is prepared there for it. */
async function findProbe(client: pg.ClientBase, probe: Statement): Promise<{ pid: unknown; known: boolean }> {
  const [, backend] = await run(client, [{ text: 'begin' }, selectPid]);
  // Mark the statement as prepared in any case, so that the batch binds it without parsing it.
  PreparedStatements.of(connectionOf(client)).keep([probe], []);
  try {
    await run(client, [probe]);
    return { pid: pid(backend), known: true };
  } catch (error) {
    // Postgres answers 26000. A PgBouncer that tracks statements ends the session of a client without any.
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
