import { ourSchema } from '../postgres/ownObjects.ts';
import { apiSchema, inScope, tenantRole } from './scope.ts';

// What a rule looks through where tenants' tables are not all it is about: subqueries to put after `from`.

const notOfExtension = (catalog: 'pg_class' | 'pg_namespace' | 'pg_proc', oid: string) => `not exists (
    select from pg_depend e where e.classid = '${catalog}'::regclass and e.objid = ${oid} and e.deptype = 'e'
  )`;

/**
 * Relations of every kind as pg_class has them, with their `object`, and `reached`: in the schema that becomes the API, or
 * open to tenants by a grant.
 */
export const ourRelations = `(
  select c.*, c.oid::regclass::text as object,
    n.nspname = ${apiSchema}
      or has_any_column_privilege(${tenantRole}, c.oid, 'select, insert, update')
      or has_table_privilege(${tenantRole}, c.oid, 'delete') as reached
  from pg_class c
  join pg_namespace n on n.oid = c.relnamespace
  where c.relkind in ('r', 'p', 'v', 'm', 'f') and c.relpersistence <> 't'
    and ${ourSchema} and ${inScope} and ${notOfExtension('pg_class', 'c.oid')}
)`;

/** Whether tenants decide what is in the column `a` of pg_attribute. A generated one is made of others. */
export const writtenByTenants = `case when a.attgenerated = ''
    then has_column_privilege(${tenantRole}, a.attrelid, a.attnum, 'insert, update')
    else has_any_column_privilege(${tenantRole}, a.attrelid, 'insert, update') end`;

/** Functions, procedures and aggregates as pg_proc has them, with their `object`. */
export const ourFunctions = `(
  select f.*, 'function ' || f.oid::regprocedure as object
  from pg_proc f
  join pg_namespace n on n.oid = f.pronamespace
  where ${ourSchema} and ${inScope} and ${notOfExtension('pg_proc', 'f.oid')}
)`;

/** Schemas as pg_namespace has them, with their `object`. */
export const ourSchemas = `(
  select n.*, format('schema %I', n.nspname) as object
  from pg_namespace n
  where ${ourSchema} and ${inScope} and ${notOfExtension('pg_namespace', 'n.oid')}
)`;
