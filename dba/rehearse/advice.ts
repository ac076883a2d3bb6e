/** Alternatives to statements that block tenants, by pattern. The first match applies. */
const advice: readonly (readonly [RegExp, string])[] = [
  [
    /^create (unique )?index (?!concurrently)/i,
    '`create index concurrently if not exists`, in a separate migration that starts with `--! no-transaction`',
  ],
  [/ foreign key | references /i, 'add the foreign key with `not valid`, then `npm run db -- validate`'],
  [/ add (constraint \S+ )?check /i, 'add the check with `not valid`, then `npm run db -- validate`'],
  [
    / set not null/i,
    '`add constraint … check (… is not null) not valid`, then `npm run db -- validate`, then `set not null`, which no longer scans the table',
  ],
  [
    / alter (column )?\S+ (set data )?type /i,
    'add a column of the new type, fill it with `npm run db -- backfill`, drop the old column later',
  ],
  [
    / add (constraint \S+ )?(unique|primary key) \(/i,
    '`create unique index concurrently`, then `add constraint … using index`',
  ],
  [/^(update|delete|merge) /i, '`npm run db -- backfill`, which changes rows in batches, each in its own transaction'],
  [
    / add (column )?/i,
    'add the column without a default that is computed for each row, then fill it with `npm run db -- backfill`',
  ],
];

/**
 * Suggests a way to do the same with shorter locks.
 *
 * @param text the statement.
 */
export function instead(text: string): string {
  const found = advice.find(([pattern]) => pattern.test(text))?.[1];
  return `${found ?? 'a separate migration at a quiet time, so that the lock ends with the statement'} (docs/dba.md, Zero downtime)`;
}
