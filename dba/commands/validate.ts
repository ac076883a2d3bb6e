import { styleText } from 'node:util';
import type pg from 'pg';
import type { ExitCode } from '../../common/usageError.ts';
import type { Target } from '../../postgres/target/target.ts';
import { command, onTarget } from '../cli/command.ts';
import { claimTables, demandPolicies, hiddenTables, withOwnerPolicies } from '../online/ownerPolicies.ts';
import {
  openRetryingConnection,
  type RetryingConnection,
  type RetryOptions,
  withRetryOptions,
} from '../online/retryingConnection.ts';

interface Options extends RetryOptions {
  readonly list?: boolean;
  readonly json?: boolean;
}

export const validateCommand = withRetryOptions(
  command('validate', 'validate constraints that were added with NOT VALID, while the database is in use'),
)
  .argument('[table]', 'only constraints of this table: app_public.todos')
  .option('--list', 'only list the constraints')
  .option('--json', 'print JSON')
  .action(onTarget<Options, [string | undefined]>(validate));

interface Constraint {
  readonly name: string;
  readonly table: string;
  readonly oid: number;
  /** The oid of the table that a foreign key references; null for other constraints. */
  readonly references: number | null;
  readonly definition: string;
}

interface Outcome extends Pick<Constraint, 'name' | 'table' | 'definition'> {
  /** The error message about a violating row; null if all rows satisfy it; undefined if not checked. */
  readonly violation: string | null | undefined;
}

/** SQLSTATEs of not_null_violation, foreign_key_violation and check_violation. */
const violations = ['23502', '23503', '23514'];

async function validate(target: Target, options: Options, table: string | undefined): Promise<ExitCode> {
  const { list = false, json = false } = options;
  if (!json) console.log(`Constraints not validated in ${target.name}`);
  const connection = openRetryingConnection(
    target.ownerUrl,
    options,
    async () => {},
    (line) => console.error(line),
  );
  try {
    const constraints = await connection.transaction((client) => unvalidated(client, table));
    const outcomes: Outcome[] = [];
    for (const constraint of constraints) {
      const { name, table, definition } = constraint;
      const violation = list ? undefined : await finish(connection, constraint);
      outcomes.push({ name, table, definition, violation });
      if (!json) describe(outcomes.at(-1) as Outcome);
    }
    if (json) console.log(JSON.stringify({ database: target.name, constraints: outcomes }));
    else if (constraints.length === 0) console.log(`${styleText('green', '✓')} none`);
    return outcomes.some(({ violation }) => violation !== null) ? 1 : 0;
  } finally {
    await connection.close();
  }
}

async function unvalidated(client: pg.Client, table: string | undefined): Promise<Constraint[]> {
  const { rows } = await client.query<Constraint>(
    `select quote_ident(c.conname) as name, c.conrelid::regclass::text as "table", c.conrelid::int8::int as oid,
       nullif(c.confrelid, 0)::int8::int as references, pg_get_constraintdef(c.oid) as definition
     from pg_constraint c
     where not c.convalidated and c.conrelid <> 0 and c.conparentid = 0
       and ($1::text is null or c.conrelid = $1::regclass)
       -- Since Postgres 18 a constraint can be permanently not enforced.
       and to_jsonb(c) ->> 'conenforced' is distinct from 'false'
     order by 2, 1`,
    [table ?? null],
  );
  return rows;
}

/**
 * Validates a constraint under a lock that does not block reads and writes. Postgres validates a foreign key with a query
 * as the owner. Under FORCE ROW LEVEL SECURITY that query sees no rows and finds no violation, so temporary policies let
 * the owner see them. Checks and not-null constraints scan the table directly.
 *
 * @returns the error message about a violating row, or null.
 */
async function finish(connection: RetryingConnection, { name, table, oid, references }: Constraint) {
  const hidden = await connection.transaction(async (client) => {
    const tables = references === null ? [] : [...new Set([oid, references])];
    await claimTables(
      client,
      tables.map((oid) => ({ oid })),
    );
    return hiddenTables(
      client,
      tables.map((oid) => ({ oid, commands: ['select'] })),
    );
  });
  try {
    await withOwnerPolicies(connection, hidden, () =>
      connection.transaction(async (client) => {
        await demandPolicies(client, hidden);
        await client.query(`alter table ${table} validate constraint ${name}`);
      }),
    );
    return null;
  } catch (error) {
    const { code = '', message, detail } = error as { code?: string; message: string; detail?: string };
    if (!violations.includes(code)) throw error;
    return detail ? `${message}: ${detail}` : message;
  }
}

function describe({ name, table, definition, violation }: Outcome): void {
  const marks = { open: styleText('yellow', '•'), done: styleText('green', '✓'), wrong: styleText('red', '✗') };
  const mark = violation === undefined ? marks.open : violation === null ? marks.done : marks.wrong;
  console.log(`${mark} ${table}: ${name} ${definition}`);
  if (violation) console.log(`  ${violation}`);
}
