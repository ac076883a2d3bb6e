import type { CatalogRule } from '../rule.ts';
import { tenantTables } from '../tenantTables.ts';

export const rule: CatalogRule = {
  level: 'error',
  title: 'row-level security is not enabled, so every tenant reaches every row: enable and force it',
  query: `select t.object, null as detail from ${tenantTables} t join pg_class c using (oid) where not c.relrowsecurity`,
};
