import type pg from 'pg';
import { UsageError } from '../../common/usageError.ts';
import type { PatientConnection } from './patient.ts';

/** What the owner may do with a table's rows for a while. */
export type Command = 'select' | 'update';

/** A table under FORCE ROW LEVEL SECURITY, and what its owner needs. */
export interface HiddenTable {
  readonly oid: number;
  /** Quoted, with its schema. */
  readonly name: string;
  readonly commands: readonly Command[];
}

const policyName = (command: Command) => `owner_${command}_for_a_while`;

/** Two numbers make an advisory lock: this one and the table's. */
const lockClass = 1_751_474_536;

/**
 * Which of `tables` hide rows from the role of `client`.
 *
 * @throws UsageError where a restrictive policy would go on hiding some.
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
      throw new UsageError(`The restrictive policy ${restricted} of ${name} hides rows from its owner, too.`);
  }
  return rows.map(({ oid, name }) => ({
    oid,
    name,
    commands: [...new Set(tables.filter((table) => table.oid === oid).flatMap(({ commands }) => commands))],
  }));
}

/**
 * Lets the owner see, and where asked change, all rows of `tables` while `use` runs: by policies to the owner alone,
 * whose making and dropping each locks a table for a moment. One of a process that was killed is taken over.
 */
export async function withOwnerPolicies<Result>(
  connection: PatientConnection,
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
  const left: string[] = [];
  for (const table of tables) left.push(...(await dropPolicies(connection, table)));
  if (left.length > 0) {
    const why = outcome.status === 'rejected' ? `${outcome.reason.message}\n` : '';
    throw new UsageError(
      `${why}These stay behind, and let the owner see all rows until they are dropped, by hand or by running this again:\n  ${left.join('\n  ')}`,
      { cause: outcome },
    );
  }
  if (outcome.status === 'rejected') throw outcome.reason;
  return outcome.value;
}

/** @returns the statements that would still have to be run. */
async function dropPolicies(connection: PatientConnection, { name, commands }: HiddenTable): Promise<string[]> {
  const statements = commands.map((command) => `drop policy if exists ${policyName(command)} on ${name};`);
  try {
    await connection.transaction((client) => client.query(statements.join('')));
    return [];
  } catch {
    return statements;
  }
}

/**
 * Keeps a table's policies as they are until the transaction ends, and demands that they are there: without them a
 * statement would see no rows and say nothing.
 */
export async function demandPolicies(client: pg.Client, tables: readonly HiddenTable[]): Promise<void> {
  for (const table of tables) {
    await client.query(`lock table ${table.name} in access share mode`);
    for (const command of table.commands) {
      if (!(await hasPolicy(client, table, command))) {
        throw new UsageError(`Somebody dropped the policy ${policyName(command)} of ${table.name}: run this again.`);
      }
    }
  }
}

/** Keeps others from working on the same tables in this way, as long as the connection lives. */
export async function claimTables(client: pg.Client, tables: readonly { readonly oid: number }[]): Promise<void> {
  for (const { oid } of tables) {
    const { rows } = await client.query<{ mine: boolean; name: string }>(
      'select pg_try_advisory_lock($1, $2::oid::int8::int) as mine, $2::oid::regclass::text as name',
      [lockClass, oid],
    );
    // As any lock that is not to be had in time: a connection that was lost may hold it a moment longer.
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
