import { allowed } from '../allowed.ts';
import type { Situation } from '../evaluator.ts';
import { TRUE } from '../logic.ts';
import type { PolicyRule } from '../rule.ts';

export const rule: PolicyRule = {
  level: 'error',
  title: 'a policy allows rows to a transaction without a tenant',
  judge: (policy, facts) => {
    if (!policy.permissive) return undefined;
    const setting = facts.owners.get(policy.table)?.kind === 'group' ? facts.groupSetting : facts.setting;
    const isOpen = (situation: Situation) => {
      const { read, written } = allowed(policy, situation, facts);
      return Boolean((read | written) & TRUE);
    };
    // The rules policy-always-true and policy-without-tenant report rows of other tenants.
    return isOpen('no tenant') && !isOpen('foreign row')
      ? `can be true while ${setting} is not set, so a transaction without a tenant reaches rows: compare the owner column with =`
      : undefined;
  },
};
