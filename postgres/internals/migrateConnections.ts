import { once } from 'node:events';
import { isNoTransactionDefined } from 'graphile-migrate/dist/header.js';
import { clearAllPools } from 'graphile-migrate/dist/pgReal.js';
import pg from 'pg';
import { PostgresClient } from '../client.ts';
import { clientOptions } from '../connectionString.ts';

// graphile-migrate connects through `new pg.Pool({ connectionString })`, without an option to change that.
// docs/adr/0061-connections-of-graphile-migrate.md explains why this module replaces its pools.

interface Statement {
  readonly text: string;
  readonly name?: string;
  readonly values?: readonly unknown[];
}

type Run = (statement: string | Statement, values?: readonly unknown[]) => Promise<unknown>;

/** The statement with which graphile-migrate applies `pgSettings` of `.gmrc` to a connection. */
const setsSettings = /^select pg_catalog\.set_config\(\$1::text/;

/** Name of the statement that records a migration, after the migration itself. */
const recordsMigration = 'migration-insert';

/** Deallocates statements that a migration prepared. `deallocate all` would remove those of node-postgres too. */
const deallocateOwn = `do $$ declare one text; begin
  for one in select name from pg_catalog.pg_prepared_statements where from_sql loop
    execute pg_catalog.format('deallocate %I', one);
  end loop;
end $$`;

/**
 * A connection of graphile-migrate. After each migration, it resets the session's settings, temporary tables, cursors and
 * prepared statements. `create index concurrently` waits for other transactions without blocking them, so it runs without
 * `lock_timeout`.
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
      // An earlier migration may have used this connection.
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

/** Makes graphile-migrate, which shares the `pg` module of this process, connect as the rest of Hedgerow does. */
export function connectAsHedgerow(): void {
  pg.Pool = MigrationPool as typeof pg.Pool;
}

/**
 * Closes the connections that graphile-migrate keeps for 200 ms after their last use. Waits up to 5 s until Postgres has
 * closed them too. Open connections would prevent a copy of their database, and graphile-migrate ends the process when one
 * of them loses its server.
 */
export async function closeMigrateConnections(): Promise<void> {
  clearAllPools();
  const signal = AbortSignal.timeout(5000);
  const closing = [...open].filter(([, pool]) => pool.ending).map(([client]) => once(client, 'end', { signal }));
  await Promise.allSettled(closing);
}
