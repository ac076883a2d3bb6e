import { TRUE } from '../logic.ts';
import { outcomes } from '../outcomes.ts';
import type { PolicyRule } from '../rule.ts';

export const rule: PolicyRule = {
  level: 'error',
  title: 'a policy allows rows to a transaction that speaks for nobody',
  judge: ({ permissive, using, check, table }, facts) => {
    if (!permissive) return undefined;
    const allowed = (situation: 'foreign row' | 'nobody') =>
      [using, check].some((one) => one && outcomes(one, table, situation, facts) & TRUE);
    // What is true of other tenants' rows is another rule's.
    return allowed('nobody') && !allowed('foreign row')
      ? `can be true while ${facts.setting} is not set, for anyone who runs without it`
      : undefined;
  },
};
