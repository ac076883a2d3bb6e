import { TRUE } from '../logic.ts';
import { outcomes } from '../outcomes.ts';
import type { PolicyRule } from '../rule.ts';

export const rule: PolicyRule = {
  level: 'error',
  title: 'a policy does not bind rows to the tenant',
  judge: ({ permissive, using, check, table }, facts) => {
    if (!permissive) return undefined;
    const [read, written] = [using, check].map((one) => (one ? outcomes(one, table, 'foreign row', facts) : 0));
    // What is always true is another rule's.
    const sometimes = (outcome = 0) => (outcome & TRUE) !== 0 && outcome !== TRUE;
    if (sometimes(read)) return 'its using can be true of another tenant’s row';
    return sometimes(written) ? 'its with check can be true of another tenant’s row' : undefined;
  },
};
