/** Returns the next step for a Postgres error whose message does not say it; `undefined` for every other error. */
export function hintOf(error: unknown): string | undefined {
  const { code, message } = error as { code?: unknown; message?: string };
  if (typeof code !== 'string' || message === undefined) return undefined;
  return hints.find(([codes, pattern]) => codes.includes(code) && pattern.test(message))?.[2];
}

const init = 'Run `npm run db -- init`, which creates the roles and databases of the connection strings.';
const schema =
  'Names in migrations need a schema, because search_path is pg_catalog (.gmrc): write app_public.name, not name.';

const hints: readonly (readonly [readonly string[], RegExp, string])[] = [
  [['42704', '28000'], /role "hedgerow_\w+" does not exist/, init],
  [['28P01', '3D000'], /./, `${init} Or correct the user, password or database in the connection string.`],
  [['42P01'], /relation "[^".]+" does not exist/, schema],
  [['42883'], /(function|procedure) [^.(]+\(.*\) does not exist/, schema],
  [['42704'], /type "[^".]+" does not exist/, schema],
  [['3F000'], /no schema has been selected/, schema],
  [['42501'], /pg_catalog/, schema],
  [
    ['25001'],
    /transaction block|from a function|within a pipeline/,
    'Make the statement the only one of a migration whose first line is `--! no-transaction`.',
  ],
  [
    ['2D000'],
    /invalid transaction termination/,
    'A procedure or `do` block commits or rolls back, but a migration is one transaction. Change rows with `npm run db -- backfill`.',
  ],
  [
    ['55P03'],
    /lock timeout/,
    'Another transaction holds a lock on the table: `npm run db -- locks` shows it. Nothing of the migration was applied; run it again.',
  ],
];
