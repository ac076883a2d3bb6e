import { TRUE } from '../logic.ts';
import { outcomes } from '../outcomes.ts';
import type { PolicyRule } from '../rule.ts';

export const rule: PolicyRule = {
  level: 'error',
  title: 'a policy allows every row',
  judge: ({ permissive, using, check, table }, facts) => {
    if (!permissive) return undefined;
    const allows = [using, check].map((one) => one && outcomes(one, table, 'foreign row', facts) === TRUE);
    if (allows[0])
      return 'its using expression is true for every row of other tenants: compare the owner column with the tenant';
    return allows[1]
      ? 'its with check expression is true for every row, so a tenant can write rows of other tenants: compare the owner column with the tenant'
      : undefined;
  },
};
