import { tenantTables } from '../facts.ts';
import type { CatalogRule } from '../rule.ts';

export const rule: CatalogRule = {
  level: 'error',
  title: 'row-level security is not enabled, so that every tenant reaches every row',
  query: `select t.object, null as detail from ${tenantTables} t join pg_class c using (oid) where not c.relrowsecurity`,
};
