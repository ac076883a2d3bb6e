import type { CatalogRule } from '../rule.ts';
import { ownerRole, serverRoles } from '../scope.ts';
import { ourSchemas } from '../scopedObjects.ts';

const servers = `${serverRoles} as r (oid, name)`;

/** Who can create a table or a function can put it where another one is looked for. */
export const rule: CatalogRule = {
  level: 'error',
  title: 'a role of the server may create objects',
  query: `
    select n.object, string_agg(r.name, ', ') || ' may create objects in it' as detail
    from ${ourSchemas} n, ${servers}
    where has_schema_privilege(r.oid, n.oid, 'create')
    group by n.object
    union all
    select 'database', string_agg(r.name, ', ') || ' may create schemas or temporary tables'
    from ${servers}
    where has_database_privilege(r.oid, current_database(),
      case when ${ownerRole} is null then 'create' else 'create, temporary' end)
    having count(*) > 0
    order by 1`,
};
