import { createHash } from 'node:crypto';
import type pg from 'pg';
import { UsageError } from '../../common/usageError.ts';
import { splitStatements } from '../../lint/statements.ts';
import { type HiddenTable, hiddenTables } from '../online/ownerPolicies.ts';

/** The arguments of a backfill, as the user writes them. */
export interface BackfillRequest {
  readonly table: string;
  /** The assignments after SET. */
  readonly set: string;
  /** The condition of rows that still need the update. */
  readonly where: string | undefined;
}

/** A checked backfill. */
export interface Plan {
  /** A hash of table, SET and WHERE. A repeated command finds its stopped backfill by this id. */
  readonly id: string;
  readonly oid: number;
  /** Schema-qualified and quoted. */
  readonly table: string;
  /** The columns of the primary key, quoted, with their types. */
  readonly key: readonly { readonly column: string; readonly type: string }[];
  readonly set: string;
  readonly where: string | undefined;
  /** Postgres' estimate of the number of rows; null if the table was never analyzed. */
  readonly estimate: number | null;
  /** Tables of the statement whose rows row-level security hides from the owner. */
  readonly hidden: readonly HiddenTable[];
}

/**
 * Checks a backfill and finds the tables that it reads. Changes nothing.
 *
 * @param client inside a transaction.
 * @throws UsageError if the table does not exist or has no usable primary key, or if the statement is not valid.
 */
export async function planBackfill(client: pg.Client, { table: name, set, where }: BackfillRequest): Promise<Plan> {
  const { rows } = await client.query<{
    oid: number;
    table: string;
    estimate: number;
    key: Plan['key'] | null;
    foreign: string | null;
  }>(
    `select c.oid::int8::int as oid, format('%I.%I', n.nspname, c.relname) as "table", c.reltuples::float8 as estimate, (
       select jsonb_agg(jsonb_build_object('column', quote_ident(a.attname), 'type', format_type(a.atttypid, a.atttypmod)) order by k.place)
       from pg_constraint p, unnest(p.conkey) with ordinality k (attnum, place), pg_attribute a
       where p.conrelid = c.oid and p.contype = 'p' and a.attrelid = c.oid and a.attnum = k.attnum
     ) as key, (
       select a.attname from pg_constraint p join pg_attribute a on a.attrelid = p.conrelid and a.attnum = any(p.conkey)
       join pg_type t on t.oid = a.atttypid left join pg_type base on base.oid = t.typbasetype
       where p.conrelid = c.oid and p.contype = 'p' and t.typtype <> 'e'
         and coalesce(base.typnamespace, t.typnamespace) <> 'pg_catalog'::regnamespace limit 1
     ) as foreign
     from pg_class c join pg_namespace n on n.oid = c.relnamespace
     where c.oid = to_regclass($1) and c.relkind in ('r', 'p')`,
    [name],
  );
  const [found] = rows;
  if (!found) throw new UsageError(`There is no table ${name}. Name it with its schema, as in app_public.todos.`);
  const { oid, table, key, estimate, foreign } = found;
  if (!key)
    throw new UsageError(
      `${table} has no primary key, and batches follow the order of the primary key. Add one first.`,
    );
  // With search_path = pg_catalog, Postgres does not find the comparison operators of the type. It may find other
  // operators, which order the values differently.
  if (foreign) {
    throw new UsageError(
      `The key column ${table}.${foreign} has an unsupported type. A primary key may have built-in types, domains over them, and enums.`,
    );
  }
  const read = await tablesOf(client, table, set, where);
  return {
    id: createHash('sha256')
      .update(JSON.stringify([table, set, where]))
      .digest('hex'),
    oid,
    table,
    key,
    set,
    where,
    estimate: estimate < 0 ? null : estimate,
    hidden: await hiddenTables(client, [
      { oid, commands: ['select', 'update'] },
      ...read.filter((other) => other !== oid).map((other) => ({ oid: other, commands: ['select'] as const })),
    ]),
  };
}

/**
 * The oids of the tables that the update names. Postgres finds them: it records them as dependencies of a temporary
 * function with the statement as its body.
 */
async function tablesOf(client: pg.Client, table: string, set: string, where: string | undefined): Promise<number[]> {
  // The same form as in a batch. The line breaks end a comment at the end of SET or WHERE.
  const statement = `update ${table} set ${set}\nwhere (${where ?? 'true'}\n)`;
  // Two kinds of brackets around WHERE prove that it is one complete expression, and FROM that it reads this table alone.
  const whereCheck = `select from ${table} where (array[${where ?? 'true'}\n])[1]`;
  if (splitStatements('', `${statement};\n${whereCheck}`).length !== 2) {
    throw new UsageError(`SET and WHERE contain more than one statement. Leave out semicolons: ${statement}`);
  }
  await client.query('savepoint dependencies');
  try {
    await client.query(
      `create function pg_temp.backfill() returns void language sql begin atomic\n${whereCheck};\n${statement};\nend`,
    );
    const { rows } = await client.query<{ oid: number; view: string | null }>(
      `select distinct d.refobjid::int8::int as oid, case when c.relkind not in ('r', 'p') then d.refobjid::regclass::text end as view
       from pg_depend d join pg_class c on c.oid = d.refobjid and c.relkind in ('r', 'p', 'v', 'm', 'f')
       where d.objid = 'pg_temp.backfill'::regproc and d.classid = 'pg_proc'::regclass and d.refclassid = 'pg_class'::regclass`,
    );
    const view = rows.find((row) => row.view !== null)?.view;
    if (view)
      throw new Error(`it reads ${view}, which may hide rows. Name the tables instead of the view or foreign table`);
    return rows.map(({ oid }) => oid);
  } catch (error) {
    throw new UsageError(`The update is not valid: ${statement}: ${(error as Error).message}`);
  } finally {
    await client.query('rollback to dependencies');
  }
}
