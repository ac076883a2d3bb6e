import { tenantTables } from '../facts.ts';
import type { CatalogRule } from '../rule.ts';

export const rule: CatalogRule = {
  level: 'error',
  elsewhere: 'warning',
  title: "row-level security is not forced, so that the table's owner passes by the policies",
  query: `select t.object, null as detail from ${tenantTables} t join pg_class c using (oid)
    where c.relrowsecurity and not c.relforcerowsecurity`,
};
