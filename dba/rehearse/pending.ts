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

/** SQL that is not yet applied to a database, in the form that Postgres receives. */
export interface Pending {
  /** Path relative to the checkout. */
  readonly file: string;
  readonly sql: string;
}

/** Reads the placeholders of `.gmrc` and their values. `!ENV` stands for the environment variable of the same name. */
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

/** Returns the committed migrations that the database of `client` lacks, and current.sql unless it is blank. */
export async function readPending(client: pg.Client): Promise<Pending[]> {
  const { pending } = await migrationState(client, (await readCommitted()).migrations);
  const current = await compile(await readFile(join(root, 'current.sql'), 'utf8'));
  const { rows } = await client.query('select current_database() as name');
  // `compilePlaceholders` reads only these settings.
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
