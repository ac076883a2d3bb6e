import { conjuncts, same } from '../nodeTree.ts';
import type { PolicyRule } from '../rule.ts';

export const rule: PolicyRule = {
  level: 'error',
  title: 'an update may make of a row what the policy would not have let it touch',
  judge: ({ permissive, command, using, check }) => {
    // Without a check the using is asked of the new row as well.
    if (!permissive || !/^(update|all)$/.test(command) || !using || !check) return undefined;
    const demanded = conjuncts(check);
    return conjuncts(using).every((part) => demanded.some((other) => same(part, other)))
      ? undefined
      : 'its with check does not demand what its using demands, so that a changed row may leave the tenant';
  },
};
