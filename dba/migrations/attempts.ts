import type pg from 'pg';
import type { CommittedMigration } from '../../postgres/migrate/committed.ts';

/**
 * Records that migrations without a transaction are about to run. graphile-migrate records a migration only when it has
 * finished. If the process is killed earlier, this row is the only trace.
 */
export async function noteAttempts(client: pg.Client, migrations: readonly CommittedMigration[]): Promise<void> {
  if (migrations.length === 0) return;
  await client.query(`
    create schema if not exists graphile_migrate;
    create table if not exists graphile_migrate.attempts (
      hash text primary key,
      filename text not null,
      began_at timestamptz not null default now()
    )`);
  for (const { hash, filename } of migrations) {
    await client.query(
      `insert into graphile_migrate.attempts (hash, filename) values ($1, $2)
       on conflict (hash) do update set began_at = now()`,
      [hash, filename],
    );
  }
}

/** Returns when `npm run db --` last started the migration with this hash; `undefined` if never. */
export async function attemptOf(client: pg.Client, { hash }: CommittedMigration): Promise<Date | undefined> {
  const { rows } = await client.query("select to_regclass('graphile_migrate.attempts') is not null as found");
  if (!rows[0].found) return undefined;
  const found = await client.query('select began_at from graphile_migrate.attempts where hash = $1', [hash]);
  return found.rows[0]?.began_at;
}
