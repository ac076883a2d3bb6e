import type { CatalogRule } from '../rule.ts';
import { scopedFunctions } from '../scopedObjects.ts';

/** Postgres may call a leakproof function before it evaluates the policies. */
export const rule: CatalogRule = {
  level: 'error',
  title: 'a function is marked leakproof, so Postgres may pass rows of other tenants to it: mark it not leakproof',
  query: `
    select f.object, null as detail
    from ${scopedFunctions} f
    where f.proleakproof
    order by 1`,
};
