import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type pg from 'pg';
import { root } from '../../common/root.ts';
import { UsageError } from '../../common/usageError.ts';
import { splitStatements } from '../../lint/statements.ts';
import { compilePlaceholders, type ParsedSettings } from '../../postgres/internals/graphileMigrate.ts';
import { readCommitted } from '../../postgres/migrate/committed.ts';
import { compile } from '../../postgres/migrate/compile.ts';
import { readGmrc } from '../../postgres/migrate/gmrc.ts';
import { migrationState } from '../migrations/migrationState.ts';

/** SQL that a database does not have yet, as it is sent to Postgres. */
export interface Pending {
  /** Relative to the checkout. */
  readonly file: string;
  readonly sql: string;
}

/** The placeholders of `.gmrc` and their values; `!ENV` is the environment variable of the same name. */
async function readPlaceholders(): Promise<Record<string, string>> {
  const { placeholders } = await readGmrc();
  return Object.fromEntries(
    Object.entries(placeholders ?? {}).map(([name, value]) => {
      const given = value === '!ENV' ? process.env[name.replace(/^:/, '')] : value;
      if (!given)
        throw new UsageError(`The placeholder ${name} of .gmrc has no value: set the variable ${name.slice(1)}.`);
      return [name, given];
    }),
  );
}

/** The committed migrations that the database of `client` lacks, and current.sql where something is in it. */
export async function readPending(client: pg.Client): Promise<Pending[]> {
  const { pending } = await migrationState(client, (await readCommitted()).migrations);
  const current = await compile(await readFile(join(root, 'current.sql'), 'utf8'));
  const { rows } = await client.query('select current_database() as name');
  // It reads nothing else of the settings.
  const settings = {
    databaseName: rows[0].name,
    databaseOwner: 'hedgerow_owner',
    placeholders: await readPlaceholders(),
  } as ParsedSettings;
  return [
    ...pending.map(({ filename, body }) => ({ file: `migrations/committed/${filename}`, sql: body })),
    { file: 'current.sql', sql: current },
  ]
    .map(({ file, sql }) => ({ file, sql: compilePlaceholders(settings, sql) }))
    .filter(({ file, sql }) => splitStatements(file, sql).length > 0);
}
