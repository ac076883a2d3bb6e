import { allowed } from '../allowed.ts';
import { TRUE } from '../logic.ts';
import type { PolicyFacts } from '../policies.ts';
import type { PolicyRule } from '../rule.ts';

export const rule: PolicyRule = {
  level: 'error',
  elsewhere: 'warning',
  title: 'a policy compares another column than the owner with the tenant',
  judge: (policy, facts) => {
    const owner = facts.owners.get(policy.table);
    if (!policy.permissive || !owner) return undefined;
    // Sharing that a comment declares lets others read a row, not write it.
    const declared: PolicyFacts = policy.command === 'select' ? facts : { ...facts, shared: new Set() };
    const isOpen = (situation: 'foreign row' | 'foreign owner') => {
      const { read, written } = allowed(policy, situation, declared);
      return Boolean((read | written) & TRUE);
    };
    // The rules policy-always-true and policy-without-tenant report rows of every other tenant.
    if (isOpen('foreign row') || !isOpen('foreign owner')) return undefined;
    const name = facts.columns.get(`${policy.table}.${owner.attnum}`);
    return `can be true for a row whose owner column ${name} names another tenant, because another column equals the tenant: compare ${name}, or declare the column with a comment "@isolation shared: reason" if it names readers`;
  },
};
