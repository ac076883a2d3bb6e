import { createHash } from 'node:crypto';
import type pg from 'pg';
import { UsageError } from '../../common/usageError.ts';
import { splitStatements } from '../../lint/statements.ts';
import { type HiddenTable, hiddenTables } from '../online/ownerPolicies.ts';

/** What a backfill is told. */
export interface Wanted {
  readonly table: string;
  /** What stands behind SET. */
  readonly set: string;
  /** Which rows are still to do. */
  readonly where: string | undefined;
}

/** A backfill that can be run. */
export interface Plan {
  /** The same for the same table, SET and WHERE: a backfill that was stopped is found again by it. */
  readonly id: string;
  readonly oid: number;
  /** Quoted, with its schema. */
  readonly table: string;
  /** The columns of the primary key, quoted, with their types. */
  readonly key: readonly { readonly column: string; readonly type: string }[];
  readonly set: string;
  readonly where: string | undefined;
  /** Rows as Postgres estimates them; null where it has never counted. */
  readonly estimate: number | null;
  /** Tables whose rows the owner does not see without a policy. */
  readonly hidden: readonly HiddenTable[];
}

/** @throws UsageError where there is no such table, it has no primary key, or the statement is not understood. */
export async function planBackfill(client: pg.Client, { table: name, set, where }: Wanted): Promise<Plan> {
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
  if (!found) throw new UsageError(`There is no table ${name}: name it with its schema, as in app_public.todos.`);
  const { oid, table, key, estimate, foreign } = found;
  if (!key) throw new UsageError(`${table} has no primary key, whose order the batches follow.`);
  // Its comparisons are not found by their bare names, and others that are found may order its values differently.
  if (foreign) throw new UsageError(`The type of ${table}.${foreign} is not one of Postgres' own.`);
  const read = await tablesOf(client, table, set, where);
  return {
    id: createHash('sha256')
      .update(JSON.stringify([table, set, where]))
      .digest('hex'),
    ...{ oid, table, key, set, where },
    estimate: estimate < 0 ? null : estimate,
    hidden: await hiddenTables(client, [
      { oid, commands: ['select', 'update'] },
      ...read.filter((other) => other !== oid).map((other) => ({ oid: other, commands: ['select'] as const })),
    ]),
  };
}

/** The tables that a statement names: Postgres notes them as what a function of it depends on. */
async function tablesOf(client: pg.Client, table: string, set: string, where: string | undefined): Promise<number[]> {
  // As a batch has it; a comment at the end of SET or WHERE ends with its line.
  const statement = `update ${table} set ${set}\nwhere (${where ?? 'true'}\n)`;
  // What stands between two kinds of brackets is whole by itself, and about this table alone.
  const alone = `select from ${table} where (array[${where ?? 'true'}\n])[1]`;
  if (splitStatements('', `${statement};\n${alone}`).length !== 2) {
    throw new UsageError(`This is more than one statement: ${statement}`);
  }
  await client.query('savepoint looking');
  try {
    await client.query(
      `create function pg_temp.backfill() returns void language sql begin atomic\n${alone};\n${statement};\nend`,
    );
    const { rows } = await client.query<{ oid: number; view: string | null }>(
      `select distinct d.refobjid::int8::int as oid, case when c.relkind not in ('r', 'p') then d.refobjid::regclass::text end as view
       from pg_depend d join pg_class c on c.oid = d.refobjid and c.relkind in ('r', 'p', 'v', 'm', 'f')
       where d.objid = 'pg_temp.backfill'::regproc and d.classid = 'pg_proc'::regclass and d.refclassid = 'pg_class'::regclass`,
    );
    const view = rows.find((row) => row.view !== null)?.view;
    if (view) throw new Error(`it reads ${view}, behind which rows may be hidden; name the tables themselves`);
    return rows.map(({ oid }) => oid);
  } catch (error) {
    throw new UsageError(`This cannot be run: ${statement}: ${(error as Error).message}`);
  } finally {
    await client.query('rollback to looking');
  }
}
