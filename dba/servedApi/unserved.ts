import type pg from 'pg';
import type { GraphQLSchema } from 'postgraphile/graphql';
import type { About, Build, Table } from '../../lint/api.ts';

/** Functions that tenants may call. Functions with @behavior or @omit in their comment are hidden on purpose. */
const grantedFunctions = `
  select case p.prokind when 'p' then 'procedure ' when 'a' then 'aggregate ' else 'function ' end || p.oid::regprocedure as object,
    p.proname as name, p.prokind as kind,
    (select count(*) from pg_proc o where o.pronamespace = p.pronamespace and o.proname = p.proname)::int as overloads
  from pg_proc p
  where p.pronamespace = to_regnamespace('app_public')
    and p.prorettype not in ('trigger'::regtype, 'event_trigger'::regtype)
    and has_function_privilege('hedgerow_tenant', p.oid, 'execute')
    and coalesce(obj_description(p.oid, 'pg_proc'), '') !~ '@(behavior|omit)'
    and not exists (select from pg_depend d where d.classid = 'pg_proc'::regclass and d.objid = p.oid and d.deptype = 'e')
  order by 1`;

/** Reasons for kinds of functions that the API never serves, by pg_proc.prokind. */
const neverServed: Readonly<Record<string, string>> = {
  p: 'the API serves no procedures',
  a: 'the API serves no aggregates',
  w: 'the API serves no window functions',
};

/** Tables and views that tenants may read, with the columns that they may read or write. */
const grantedTables = `
  select c.oid::regclass::text as object, c.relname as name,
    has_any_column_privilege('hedgerow_tenant', c.oid, 'insert') as "insert",
    has_any_column_privilege('hedgerow_tenant', c.oid, 'update') as "update",
    has_table_privilege('hedgerow_tenant', c.oid, 'delete') as "delete",
    (
      select coalesce(json_agg(json_build_object(
        'name', a.attname, 'type', format_type(a.atttypid, a.atttypmod),
        'read', has_column_privilege('hedgerow_tenant', c.oid, a.attnum, 'select'),
        'written', a.attgenerated = '' and has_column_privilege('hedgerow_tenant', c.oid, a.attnum, 'insert')
      ) order by a.attnum), '[]')
      from pg_attribute a
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

interface GrantedFunction {
  readonly object: string;
  readonly name: string;
  readonly kind: string;
  readonly overloads: number;
}

interface GrantedTable extends Readonly<Record<(typeof commands)[number], boolean>> {
  readonly object: string;
  readonly name: string;
  readonly columns: readonly {
    readonly name: string;
    readonly type: string;
    readonly read: boolean;
    readonly written: boolean;
  }[];
}

/** Finds objects that are granted to tenants and missing from the API. */
export async function findUnserved(client: pg.ClientBase, schema: GraphQLSchema, build: Build): Promise<About[]> {
  const functions = await client.query<GrantedFunction>(grantedFunctions);
  const tables = await client.query<GrantedTable>(grantedTables);
  return [
    ...functions.rows.flatMap(({ object, name, kind, overloads }) => {
      const resource = neverServed[kind] ? undefined : resourceOf(build, name, true);
      if (resource && hasField(resource, schema, build)) return [];
      const reason =
        neverServed[kind] ??
        (overloads > 1 ? 'another function has the same name' : 'the API has no type for its arguments or its result');
      return [{ object, detail: `is granted to tenants, but is not in the API: ${reason}` }];
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
  if (!resource) return [{ object, detail: 'is granted to tenants, but is not in the API' }];
  const missing = commands.filter((command) => table[command] && !hasMutation(command, resource, schema, build));
  const tableFindings =
    missing.length > 0
      ? [{ object, detail: `tenants are granted ${missing.join(' and ')}, but the API has no such mutation` }]
      : [];
  return [...tableFindings, ...columns.flatMap((column) => ofColumn(object, column, resource, schema, build))];
}

function ofColumn(
  object: string,
  { name, type, read, written }: GrantedTable['columns'][number],
  resource: Table,
  schema: GraphQLSchema,
  { inflection }: Build,
): About[] {
  const { codec } = resource;
  const about = (detail: string) => [{ object: `${object}.${name}`, detail }];
  if (!codec.attributes[name])
    return about('is granted to tenants, but is not in the API, which does not know its type');
  // The API omits a pinned owner column on purpose. A polymorphic table has several types, one per kind of row.
  if (codec.attributes[name].extensions?.isHiddenOwner || codec.polymorphism) return [];
  const field = inflection.attribute({ codec, attributeName: name });
  const lacks = (typeName: string) => {
    const found = schema.getType(typeName);
    return found !== undefined && 'getFields' in found && !(field in found.getFields());
  };
  const output = inflection.tableType(codec);
  if (read && lacks(output)) return about(`tenants may read it, but the API does not serve its type ${type}`);
  return written && lacks(inflection.inputType(output))
    ? about(`tenants may write it, but the API accepts no value of its type ${type}`)
    : [];
}

/** Whether the API serves a function as a query, as a mutation, or as a computed field of its first argument. */
function hasField(resource: Table, schema: GraphQLSchema, { inflection }: Build): boolean {
  const fields = [...Object.values(schema.getTypeMap())].flatMap((type) =>
    'getFields' in type && !type.name.startsWith('__') && !/Input$/.test(type.name)
      ? Object.keys(type.getFields())
      : [],
  );
  const details = { resource } as never;
  const names = [
    () => inflection.customQueryField(details),
    () => inflection.customQueryConnectionField(details),
    () => inflection.customQueryListField(details),
    () => inflection.customMutationField(details),
    () => inflection.computedAttributeField(details),
    () => inflection.computedAttributeConnectionField(details),
    () => inflection.computedAttributeListField(details),
  ];
  return names.some((name) => fields.includes(name()));
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
