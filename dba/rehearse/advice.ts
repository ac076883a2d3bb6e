/** What to do instead of a statement that blocks tenants; the first that fits. */
const advice: readonly (readonly [RegExp, string])[] = [
  [
    /^create (unique )?index (?!concurrently)/i,
    '`create index concurrently if not exists`, in a migration of its own that begins with `--! no-transaction`',
  ],
  [/ foreign key | references /i, 'add the foreign key with `not valid`, then `npm run db -- validate`'],
  [/ add (constraint \S+ )?check /i, 'add the check with `not valid`, then `npm run db -- validate`'],
  [
    / set not null/i,
    '`add constraint … check (… is not null) not valid`, `npm run db -- validate`, and `set not null` afterwards, which then reads no rows',
  ],
  [
    / alter (column )?\S+ (set data )?type /i,
    'add a column of the new type, `npm run db -- backfill` it, drop the old one later',
  ],
  [
    / add (constraint \S+ )?(unique|primary key) \(/i,
    '`create unique index concurrently`, then `add constraint … using index`',
  ],
  [/^(update|delete|merge) /i, '`npm run db -- backfill` changes rows in batches, each its own transaction'],
  [
    / add (column )?/i,
    'add the column without a default that is computed for each row, and `npm run db -- backfill` it',
  ],
];

/** @param text the statement. @returns what would do the same and block less. */
export function instead(text: string): string {
  const found = advice.find(([pattern]) => pattern.test(text))?.[1];
  return `${found ?? 'a migration of its own, so that the lock ends with it, at a quiet time'} (docs/dba.md, Zero downtime)`;
}
