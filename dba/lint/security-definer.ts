import { ourFunctions } from '../linter/ours.ts';
import type { CatalogRule } from '../linter/rule.ts';

/** Hedgerow has none: a role with the right grants does what they are made for. */
export const rule: CatalogRule = {
  level: 'error',
  title: 'a function runs with the rights of its owner',
  query: `
    select f.object, 'runs with the rights of ' || f.proowner::regrole || ', whoever calls it' as detail
    from ${ourFunctions} f
    where f.prosecdef
    order by 1`,
};
