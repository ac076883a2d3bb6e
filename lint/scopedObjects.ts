import { ourSchema } from '../postgres/ownObjects.ts';
import { apiSchema, inScope, tenantRole } from './scope.ts';

// Subqueries for rules about more objects than tenant tables. They follow `from`. Objects of extensions are left out.

const notOfExtension = (catalog: 'pg_class' | 'pg_namespace' | 'pg_proc', oid: string) => `not exists (
    select from pg_depend e where e.classid = '${catalog}'::regclass and e.objid = ${oid} and e.deptype = 'e'
  )`;

/**
 * Relations of every kind: the columns of pg_class, `object`, and `reached`. A relation is reached if it is in the API
 * schema or if tenants have a grant on it.
 */
export const scopedRelations = `(
  select c.*, c.oid::regclass::text as object,
    n.nspname = ${apiSchema}
      or has_any_column_privilege(${tenantRole}, c.oid, 'select, insert, update')
      or has_table_privilege(${tenantRole}, c.oid, 'delete') as reached
  from pg_class c
  join pg_namespace n on n.oid = c.relnamespace
  where c.relkind in ('r', 'p', 'v', 'm', 'f') and c.relpersistence <> 't'
    and ${ourSchema} and ${inScope} and ${notOfExtension('pg_class', 'c.oid')}
)`;

/** A condition: tenants decide the value of the column `a` (pg_attribute). A generated column depends on the others. */
export const writtenByTenants = `case when a.attgenerated = ''
    then has_column_privilege(${tenantRole}, a.attrelid, a.attnum, 'insert, update')
    else has_any_column_privilege(${tenantRole}, a.attrelid, 'insert, update') end`;

/** Functions, procedures and aggregates: the columns of pg_proc, and `object`. */
export const scopedFunctions = `(
  select f.*, 'function ' || f.oid::regprocedure as object
  from pg_proc f
  join pg_namespace n on n.oid = f.pronamespace
  where ${ourSchema} and ${inScope} and ${notOfExtension('pg_proc', 'f.oid')}
)`;

/** Schemas: the columns of pg_namespace, and `object`. */
export const scopedSchemas = `(
  select n.*, format('schema %I', n.nspname) as object
  from pg_namespace n
  where ${ourSchema} and ${inScope} and ${notOfExtension('pg_namespace', 'n.oid')}
)`;
