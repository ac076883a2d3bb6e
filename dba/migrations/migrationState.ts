import type pg from 'pg';
import type { CommittedMigration } from '../../postgres/migrate/committed.ts';
import { compareMigrations, type Migration } from '../../server/tenancy/migrationFiles.ts';
import { attemptOf } from './attempts.ts';
import { chainProblems } from './chain.ts';

/** The state of the migrations in one database. */
export interface MigrationState {
  readonly migrations: readonly {
    readonly filename: string;
    readonly state: 'applied' | 'pending' | 'edited' | 'half-applied';
    readonly appliedAt: Date | null;
  }[];
  readonly pending: readonly CommittedMigration[];
  /** Applied migrations that the files lack or that differ from the files. Nothing can be applied after them. */
  readonly foreign: readonly string[];
  /** Set if the next migration runs without a transaction and was started, but is not recorded as applied. */
  readonly halfApplied: string | undefined;
  readonly invalidIndexes: readonly string[];
  /** All problems, a sentence each. */
  readonly problems: readonly string[];
}

interface Applied extends Migration {
  readonly date: Date;
}

export async function migrationState(
  client: pg.Client,
  committed: readonly CommittedMigration[],
): Promise<MigrationState> {
  const applied = await appliedMigrations(client);
  const byNumber = new Map(applied.map((row) => [Number.parseInt(row.filename, 10), row]));
  const pending = committed.filter(({ number }) => !byNumber.has(number));
  const halfApplied = await breakOff(client, pending[0]);
  const invalid = await invalidIndexes(client);
  // Compare both hashes: an edit of the body may or may not have updated the header.
  const byBody = committed.map(({ filename, bodyHash }) => ({ filename, hash: bodyHash }));
  const differences = new Set([...compareMigrations(committed, applied), ...compareMigrations(byBody, applied)]);
  const unapplied = new Set(compareMigrations(pending, []));
  const states = committed.map((migration) => {
    const row = byNumber.get(migration.number);
    const { filename, hash, bodyHash } = migration;
    if (row) {
      const same = row.hash === hash && hash === bodyHash;
      return { filename, state: same ? ('applied' as const) : ('edited' as const), appliedAt: row.date };
    }
    const half = halfApplied !== undefined && migration === pending[0];
    return { filename, state: half ? ('half-applied' as const) : ('pending' as const), appliedAt: null };
  });
  return {
    migrations: states,
    pending,
    foreign: [...differences].filter((sentence) => !unapplied.has(sentence)),
    halfApplied,
    invalidIndexes: invalid,
    problems: [...differences, ...(halfApplied ? [halfApplied] : []), ...invalid, ...chainProblems(committed)],
  };
}

/** Returns the migrations that graphile-migrate has recorded as applied, sorted by file name. */
export async function appliedMigrations(client: pg.Client): Promise<Applied[]> {
  const { rows } = await client.query("select to_regclass('graphile_migrate.migrations') is not null as found");
  if (!rows[0].found) return [];
  return (await client.query<Applied>('select filename, hash, date from graphile_migrate.migrations order by filename'))
    .rows;
}

/**
 * Detects an interrupted migration: the next one runs without a transaction and was started already. The evidence is the
 * row of `noteAttempts`, or an index that the migration creates.
 */
async function breakOff(client: pg.Client, next: CommittedMigration | undefined): Promise<string | undefined> {
  if (!next || next.transaction) return undefined;
  const begun = await attemptOf(client, next);
  const made: string[] = [];
  for (const [, index, schema] of next.body.matchAll(indexPattern)) {
    const { rows } = await client.query(
      `select from pg_class c join pg_namespace n on n.oid = c.relnamespace
       where c.relkind in ('i', 'I') and c.relname = $1 and n.nspname = $2`,
      [unquoted(index), unquoted(schema)],
    );
    if (rows.length > 0) made.push(`${schema}.${index}`);
  }
  if (!begun && made.length === 0) return undefined;
  const when = begun ? ` at ${begun.toISOString()}` : '';
  const there = made.length > 0 ? `; ${made.join(', ')} exists already` : '';
  return `migration ${next.filename} has no transaction and was started${when}, but is not recorded as applied${there}`;
}

/** `create index concurrently <index> on <schema>.<table>`. */
const indexPattern =
  /\bindex\s+concurrently\s+(?:if\s+not\s+exists\s+)?("[^"]+"|\w+)\s+on\s+(?:only\s+)?("[^"]+"|\w+)\s*\./gi;

const unquoted = (name = '') => (name.startsWith('"') ? name.slice(1, -1) : name.toLowerCase());

/**
 * Finds indexes that an interrupted `create index concurrently` left behind. Postgres updates them but never uses them.
 */
export async function invalidIndexes(client: pg.Client): Promise<string[]> {
  const { rows } = await client.query(`
    select format('%I.%I', n.nspname, c.relname) as name
    from pg_index i join pg_class c on c.oid = i.indexrelid join pg_namespace n on n.oid = c.relnamespace
    where not i.indisvalid and c.relkind = 'i' and n.nspname not like 'pg\\_%'
      -- Skip indexes that are still being built.
      and not exists (select from pg_stat_progress_create_index p where p.index_relid = i.indexrelid)
    order by 1`);
  return rows.map(
    ({ name }) =>
      `index ${name} is invalid, and \`create index … if not exists\` would skip it: run \`drop index concurrently ${name}\`, then migrate again`,
  );
}
