import { TRUE } from '../logic.ts';
import { outcomes } from '../outcomes.ts';
import type { PolicyRule } from '../rule.ts';

export const rule: PolicyRule = {
  level: 'error',
  title: 'a policy does not restrict rows to the tenant',
  judge: ({ permissive, using, check, table }, facts) => {
    if (!permissive) return undefined;
    const [read, written] = [using, check].map((one) => (one ? outcomes(one, table, 'foreign row', facts) : 0));
    // The rule policy-always-true reports expressions that are always true.
    const sometimes = (outcome = 0) => (outcome & TRUE) !== 0 && outcome !== TRUE;
    if (sometimes(read))
      return 'its using expression can be true for a row of another tenant: require that the owner column equals the tenant';
    return sometimes(written)
      ? 'its with check expression can be true for a row of another tenant: require that the owner column equals the tenant'
      : undefined;
  },
};
