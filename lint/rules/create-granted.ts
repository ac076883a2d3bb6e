import type { CatalogRule } from '../rule.ts';
import { ownerRole, serverRoles } from '../scope.ts';
import { scopedSchemas } from '../scopedObjects.ts';

const servers = `${serverRoles} as r (oid, name)`;

/** A role that creates a table or a function can shadow the object that a query means. */
export const rule: CatalogRule = {
  level: 'error',
  title: 'a server role may create objects, which can shadow the ones that queries name',
  query: `
    select n.object, string_agg(r.name, ', ') || ' may create objects in it that shadow others: revoke CREATE' as detail
    from ${scopedSchemas} n, ${servers}
    where has_schema_privilege(r.oid, n.oid, 'create')
    group by n.object
    union all
    select 'database',
      string_agg(r.name, ', ') || ' may create schemas or temporary tables that shadow others: revoke CREATE and TEMPORARY'
    from ${servers}
    where has_database_privilege(r.oid, current_database(),
      case when ${ownerRole} is null then 'create' else 'create, temporary' end)
    having count(*) > 0
    order by 1`,
};
