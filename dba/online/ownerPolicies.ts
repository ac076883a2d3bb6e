import type pg from 'pg';
import { UsageError } from '../../common/usageError.ts';
import type { RetryingConnection } from './retryingConnection.ts';

/*
 * FORCE ROW LEVEL SECURITY hides all rows from the owner. For the time of a backfill or a validation, temporary policies
 * give the owner, and nobody else, access to them.
 *
 * none -> (withOwnerPolicies) policies exist -> (its end, in success and failure) none
 *
 * A killed process leaves its policies behind. `status` reports them, and the next run reuses and drops them.
 */

/** A command that a temporary policy permits to the owner. */
export type Command = 'select' | 'update';

/** A table that hides rows from its owner, and the commands that the owner needs. */
export interface HiddenTable {
  readonly oid: number;
  /** Schema-qualified and quoted. */
  readonly name: string;
  readonly commands: readonly Command[];
}

const policyName = (command: Command) => `owner_${command}_for_a_while`;

/** First key of the advisory locks of claimTables(). The second key is the table's oid. */
const lockClass = 1_751_474_536;

/**
 * Returns those of `tables` that hide rows from the role of `client`.
 *
 * @throws UsageError if a restrictive policy would hide rows in spite of the temporary policies.
 */
export async function hiddenTables(
  client: pg.Client,
  tables: readonly { readonly oid: number; readonly commands: readonly Command[] }[],
): Promise<HiddenTable[]> {
  const { rows } = await client.query<{ oid: number; name: string; restricted: string | null }>(
    `select c.oid::int8::int as oid, format('%I.%I', n.nspname, c.relname) as name, (
       select p.polname from pg_policy p where p.polrelid = c.oid and not p.polpermissive
       and exists (select from unnest(p.polroles) r where r = 0 or pg_has_role(r, 'usage')) limit 1
     ) as restricted
     from pg_class c join pg_namespace n on n.oid = c.relnamespace
     where c.oid = any($1::oid[]) and c.relrowsecurity
       and not (select r.rolsuper or r.rolbypassrls from pg_roles r where r.rolname = current_user)`,
    [tables.map(({ oid }) => oid)],
  );
  for (const { name, restricted } of rows) {
    if (restricted)
      throw new UsageError(
        `The restrictive policy ${restricted} of ${name} also hides rows from the owner. Grant it to hedgerow_tenant alone: alter policy … to hedgerow_tenant.`,
      );
  }
  return rows.map(({ oid, name }) => ({
    oid,
    name,
    commands: [...new Set(tables.filter((table) => table.oid === oid).flatMap(({ commands }) => commands))],
  }));
}

/**
 * Lets the owner read (and for `update`, change) all rows of `tables` while `use` runs. Each creation and drop of a policy
 * locks its table for a moment. Policies that a killed process left behind are reused.
 *
 * @throws UsageError with the statements to run, if a policy cannot be dropped.
 */
export async function withOwnerPolicies<Result>(
  connection: RetryingConnection,
  tables: readonly HiddenTable[],
  use: () => Promise<Result>,
): Promise<Result> {
  const work = async () => {
    for (const table of tables) {
      await connection.transaction(async (client) => {
        for (const command of table.commands) {
          if (await hasPolicy(client, table, command)) continue;
          const condition = command === 'select' ? 'using (true)' : 'using (true) with check (true)';
          await client.query(
            `create policy ${policyName(command)} on ${table.name} for ${command} to current_user ${condition}`,
          );
        }
      });
    }
    return use();
  };
  const [outcome] = await Promise.allSettled([work()]);
  const remaining: string[] = [];
  for (const table of tables) remaining.push(...(await dropPolicies(connection, table)));
  if (remaining.length > 0) {
    const why = outcome.status === 'rejected' ? `${outcome.reason.message}\n` : '';
    throw new UsageError(
      `${why}These policies could not be dropped and let the owner see all rows. Run this command again, or run:\n  ${remaining.join('\n  ')}`,
      { cause: outcome },
    );
  }
  if (outcome.status === 'rejected') throw outcome.reason;
  return outcome.value;
}

/** Drops the policies of a table. @returns the statements that remain to be run. */
async function dropPolicies(connection: RetryingConnection, { name, commands }: HiddenTable): Promise<string[]> {
  const statements = commands.map((command) => `drop policy if exists ${policyName(command)} on ${name};`);
  try {
    await connection.transaction((client) => client.query(statements.join('')));
    return [];
  } catch {
    return statements;
  }
}

/**
 * Requires that the temporary policies exist, and locks them until the transaction ends. Without the policies a statement
 * would find no rows and report no error.
 *
 * @throws UsageError if a policy is missing.
 */
export async function demandPolicies(client: pg.Client, tables: readonly HiddenTable[]): Promise<void> {
  for (const table of tables) {
    await client.query(`lock table ${table.name} in access share mode`);
    for (const command of table.commands) {
      if (!(await hasPolicy(client, table, command))) {
        throw new UsageError(
          `Somebody dropped the policy ${policyName(command)} of ${table.name}. Run this command again.`,
        );
      }
    }
  }
}

/**
 * Keeps other backfills and validations away from the tables while the connection lives.
 *
 * @throws UsageError with SQLSTATE 55P03 if another process has claimed one, so that the caller retries.
 */
export async function claimTables(client: pg.Client, tables: readonly { readonly oid: number }[]): Promise<void> {
  for (const { oid } of tables) {
    const { rows } = await client.query<{ mine: boolean; name: string }>(
      'select pg_try_advisory_lock($1, $2::oid::int8::int) as mine, $2::oid::regclass::text as name',
      [lockClass, oid],
    );
    // Reported like a lock timeout and so retried: a lost connection may hold its lock for a moment.
    if (!rows[0]?.mine) {
      throw Object.assign(new UsageError(`another backfill or validation works on ${rows[0]?.name}`), {
        code: '55P03',
      });
    }
  }
}

async function hasPolicy(client: pg.Client, { oid }: HiddenTable, command: Command): Promise<boolean> {
  const { rowCount } = await client.query('select from pg_policy where polrelid = $1 and polname = $2', [
    oid,
    policyName(command),
  ]);
  return rowCount === 1;
}
