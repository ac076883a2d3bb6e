import { allowed } from '../allowed.ts';
import { TRUE } from '../logic.ts';
import type { PolicyRule } from '../rule.ts';

export const rule: PolicyRule = {
  level: 'error',
  title: 'a policy does not restrict rows to the tenant',
  judge: (policy, facts) => {
    if (!policy.permissive) return undefined;
    const { read, written } = allowed(policy, 'foreign row', facts);
    // The rule policy-always-true reports expressions that are always true.
    const sometimes = (outcome: number) => (outcome & TRUE) !== 0 && outcome !== TRUE;
    if (sometimes(read))
      return 'its using expression can be true for a row of another tenant: require that the owner column equals the tenant';
    return sometimes(written)
      ? 'its with check expression can be true for a row of another tenant: require that the owner column equals the tenant'
      : undefined;
  },
};
