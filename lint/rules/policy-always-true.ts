import { allowed } from '../allowed.ts';
import { TRUE } from '../logic.ts';
import type { PolicyRule } from '../rule.ts';

export const rule: PolicyRule = {
  level: 'error',
  title: 'a policy allows every row',
  judge: (policy, facts) => {
    if (!policy.permissive) return undefined;
    const { read, written } = allowed(policy, 'foreign row', facts);
    if (read === TRUE)
      return 'its using expression is true for every row of other tenants: compare the owner column with the tenant';
    return written === TRUE
      ? 'its with check expression is true for every row, so a tenant can write rows of other tenants: compare the owner column with the tenant'
      : undefined;
  },
};
