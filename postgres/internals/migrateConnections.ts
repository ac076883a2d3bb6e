import { once } from 'node:events';
import { isNoTransactionDefined } from 'graphile-migrate/dist/header.js';
import { clearAllPools } from 'graphile-migrate/dist/pgReal.js';
import pg from 'pg';
import { PostgresClient } from '../client.ts';
import { clientOptions } from '../connectionString.ts';

// graphile-migrate makes its connections by `new pg.Pool({ connectionString })` and has no option for it.
// docs/adr/0061-connections-of-graphile-migrate.md says why its pools are replaced.

interface Statement {
  readonly text: string;
  readonly name?: string;
  readonly values?: readonly unknown[];
}

type Run = (statement: string | Statement, values?: readonly unknown[]) => Promise<unknown>;

/** The statement by which graphile-migrate applies `pgSettings` of `.gmrc` to a connection. */
const setsSettings = /^select pg_catalog\.set_config\(\$1::text/;

/** The statement that records a migration, after the migration itself. */
const recordsMigration = 'migration-insert';

/** Not `deallocate all`: node-postgres remembers which statements of its own are prepared. */
const deallocateOwn = `do $$ declare one text; begin
  for one in select name from pg_catalog.pg_prepared_statements where from_sql loop
    execute pg_catalog.format('deallocate %I', one);
  end loop;
end $$`;

/**
 * A connection of graphile-migrate. Settings, temporary tables, cursors and prepared statements that a migration made for
 * the session end with the migration. A statement that waits for other transactions without blocking anybody
 * (`create index concurrently`) has no `lock_timeout`.
 */
class MigrationClient extends PostgresClient {
  #settings: Statement | undefined;

  constructor(config?: ConstructorParameters<typeof PostgresClient>[0]) {
    super(config);
    const run = super.query.bind(this) as unknown as Run;
    const query: Run = (statement, values) => this.#query(run, statement, values);
    this.query = query as unknown as pg.Client['query'];
  }

  async #query(run: Run, given: string | Statement, values?: readonly unknown[]): Promise<unknown> {
    const statement = typeof given === 'string' ? { text: given, ...(values && { values }) } : given;
    const { text, name } = statement;
    if (setsSettings.test(text)) {
      this.#settings = statement;
      // The connection may be one that a migration has used before.
      await this.#resetSession(run);
      return;
    }
    if (name === recordsMigration) await this.#resetSession(run);
    if (!isNoTransactionDefined(text) || !/\bconcurrently\b/i.test(text)) return run(statement);
    await run('set lock_timeout = 0');
    try {
      return await run(statement);
    } finally {
      await this.#resetSession(run).catch(() => {});
    }
  }

  async #resetSession(run: Run): Promise<void> {
    await run('reset session authorization; reset role; reset all');
    await run('close all; unlisten *; discard temp; discard sequences');
    await run(deallocateOwn);
    if (this.#settings) await run(this.#settings);
  }
}

/** Open connections of graphile-migrate, with their pools. */
const open = new Map<pg.PoolClient, pg.Pool>();

const Pool = pg.Pool;

class MigrationPool extends Pool {
  constructor(options: pg.PoolConfig = {}) {
    const { connectionString } = options;
    const isGraphileMigrates = connectionString !== undefined && Object.keys(options).length === 1;
    super(isGraphileMigrates ? { ...clientOptions(connectionString), Client: MigrationClient } : options);
    if (!isGraphileMigrates) return;
    this.on('connect', (client) => {
      open.set(client, this);
      client.once('end', () => open.delete(client));
    });
  }
}

/** Has graphile-migrate, which shares this process's `pg`, connect as everything else here does. */
export function connectAsHedgerow(): void {
  pg.Pool = MigrationPool as typeof pg.Pool;
}

/**
 * Closes the connections that graphile-migrate keeps for 200 ms after their last use, and waits until Postgres has let go
 * of them, for 5 s at most. Otherwise their database cannot be copied, and graphile-migrate ends the process when one of
 * them loses its server.
 */
export async function closeMigrateConnections(): Promise<void> {
  clearAllPools();
  const signal = AbortSignal.timeout(5000);
  const closing = [...open].filter(([, pool]) => pool.ending).map(([client]) => once(client, 'end', { signal }));
  await Promise.allSettled(closing);
}
