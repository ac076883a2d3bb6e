import type { CatalogRule } from '../rule.ts';
import { tenantTables } from '../tenantTables.ts';

export const rule: CatalogRule = {
  level: 'error',
  elsewhere: 'warning',
  title: 'row-level security is not forced, so the table owner bypasses the policies: force it',
  query: `select t.object, null as detail from ${tenantTables} t join pg_class c using (oid)
    where c.relrowsecurity and not c.relforcerowsecurity`,
};
