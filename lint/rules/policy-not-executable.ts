import type { PolicyRule } from '../rule.ts';

export const rule: PolicyRule = {
  level: 'error',
  title: 'tenants may not use what a policy uses, so that every statement fails',
  judge: ({ missingRights: { certain, possible } }) => {
    if (certain.length > 0) return `tenants may not ${certain.join(' or ')}`;
    if (possible.length === 0) return undefined;
    const detail = `tenants may not ${possible.join(' or ')}: statements that reach it fail, unless the error is caught`;
    return { detail, level: 'warning' };
  },
};
