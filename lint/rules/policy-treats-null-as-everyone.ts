import { TRUE } from '../logic.ts';
import { outcomes, type Situation } from '../outcomes.ts';
import type { PolicyRule } from '../rule.ts';

export const rule: PolicyRule = {
  level: 'error',
  title: 'a policy allows rows to a transaction without a tenant',
  judge: ({ permissive, using, check, table }, facts) => {
    if (!permissive) return undefined;
    const setting = facts.owners.get(table)?.kind === 'group' ? facts.groupSetting : facts.setting;
    const allowed = (situation: Situation) =>
      [using, check].some((one) => one && outcomes(one, table, situation, facts) & TRUE);
    // The rules policy-always-true and policy-without-tenant report rows of other tenants.
    return allowed('no tenant') && !allowed('foreign row')
      ? `can be true while ${setting} is not set, so a transaction without a tenant reaches rows: compare the owner column with =`
      : undefined;
  },
};
