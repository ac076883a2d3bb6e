import type pg from 'pg';
import type { GraphQLSchema } from 'postgraphile/graphql';
import type { About, Build, Table } from './types.ts';

/** Objects that tenants are granted. Those with a behavior in their comment are hidden on purpose. */
const grantedFunctions = `
  select 'function ' || p.oid::regprocedure as object, p.proname as name,
    (select count(*) from pg_proc o where o.pronamespace = p.pronamespace and o.proname = p.proname)::int as overloads
  from pg_proc p
  where p.pronamespace = to_regnamespace('app_public') and p.prokind = 'f'
    and p.prorettype not in ('trigger'::regtype, 'event_trigger'::regtype)
    and has_function_privilege('hedgerow_tenant', p.oid, 'execute')
    and coalesce(obj_description(p.oid, 'pg_proc'), '') !~ '@(behavior|omit)'
    and not exists (select from pg_depend d where d.classid = 'pg_proc'::regclass and d.objid = p.oid and d.deptype = 'e')
  order by 1`;

const grantedTables = `
  select c.oid::regclass::text as object, c.relname as name,
    has_any_column_privilege('hedgerow_tenant', c.oid, 'insert') as "insert",
    has_any_column_privilege('hedgerow_tenant', c.oid, 'update') as "update",
    has_table_privilege('hedgerow_tenant', c.oid, 'delete') as "delete",
    array(
      select a.attname::text from pg_attribute a
      where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
        and has_column_privilege('hedgerow_tenant', c.oid, a.attnum, 'select, insert, update')
        and coalesce(col_description(c.oid, a.attnum), '') !~ '@(behavior|omit)'
    ) as columns
  from pg_class c
  where c.relnamespace = to_regnamespace('app_public') and c.relkind in ('r', 'p', 'v') and not c.relispartition
    and has_any_column_privilege('hedgerow_tenant', c.oid, 'select')
    and coalesce(obj_description(c.oid, 'pg_class'), '') !~ '@(behavior|omit)'
  order by 1`;

const commands = ['insert', 'update', 'delete'] as const;

interface GrantedTable extends Readonly<Record<(typeof commands)[number], boolean>> {
  readonly object: string;
  readonly name: string;
  readonly columns: readonly string[];
}

/** Finds objects that tenants are granted and the API leaves out. */
export async function findUnserved(client: pg.ClientBase, schema: GraphQLSchema, build: Build): Promise<About[]> {
  const functions = await client.query<{ object: string; name: string; overloads: number }>(grantedFunctions);
  const tables = await client.query<GrantedTable>(grantedTables);
  return [
    ...functions.rows.flatMap(({ object, name, overloads }) => {
      if (resourceOf(build, name, true)) return [];
      const reason = overloads > 1 ? 'another function has its name' : 'its arguments or its result have no type there';
      return [{ object, detail: `is granted to tenants and is not in the API: ${reason}` }];
    }),
    ...tables.rows.flatMap((table) => ofTable(table, schema, build)),
  ];
}

function resourceOf(build: Build, name: string, isFunction: boolean): Table | undefined {
  return (Object.values(build.pgResources) as Table[]).find(({ parameters, extensions }) => {
    const { schemaName, name: own } = extensions?.pg ?? {};
    return schemaName === 'app_public' && own === name && (parameters !== undefined) === isFunction;
  });
}

function ofTable(table: GrantedTable, schema: GraphQLSchema, build: Build): About[] {
  const { object, name, columns } = table;
  const resource = resourceOf(build, name, false);
  if (!resource) return [{ object, detail: 'is granted to tenants and is not in the API' }];
  const missing = commands.filter((command) => table[command] && !hasMutation(command, resource, schema, build));
  const without =
    missing.length > 0
      ? [{ object, detail: `the API has no mutation for ${missing.join(' and ')}, which tenants are granted` }]
      : [];
  const untyped = columns.filter((column) => !resource.codec.attributes[column]);
  const detail = 'is granted to tenants and is not in the API, which does not know its type';
  return [...without, ...untyped.map((column) => ({ object: `${object}.${column}`, detail }))];
}

function hasMutation(
  command: (typeof commands)[number],
  resource: Table,
  schema: GraphQLSchema,
  { inflection }: Build,
): boolean {
  const fields = schema.getMutationType()?.getFields() ?? {};
  if (command === 'insert') return inflection.createField(resource) in fields;
  return resource.uniques.some((unique) => {
    const details = { resource, unique } as never;
    const names =
      command === 'update'
        ? [inflection.updateByKeysField(details), inflection.updateNodeField(details)]
        : [inflection.deleteByKeysField(details), inflection.deleteNodeField(details)];
    return names.some((name) => name in fields);
  });
}
