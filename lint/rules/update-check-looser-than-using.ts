import { conjuncts, same } from '../../postgres/nodeTree.ts';
import type { PolicyRule } from '../rule.ts';

export const rule: PolicyRule = {
  level: 'error',
  title: 'an update can turn a row into one that the policy would not let it change',
  judge: ({ permissive, command, using, check }) => {
    // Without a with check, Postgres applies the using expression to the new row too.
    if (!permissive || !/^(update|all)$/.test(command) || !using || !check) return undefined;
    const required = conjuncts(check);
    return conjuncts(using).every((part) => required.some((other) => same(part, other)))
      ? undefined
      : 'its with check does not require all that its using requires, so an update can move a row to another tenant: repeat the using expression in it';
  },
};
