import type { PolicyRule } from '../linter/rule.ts';

export const rule: PolicyRule = {
  level: 'error',
  title: 'tenants may not use what a policy uses, so that every statement fails',
  judge: ({ missingRights }) =>
    missingRights.length > 0 ? `tenants may not ${missingRights.join(' or ')}` : undefined,
};
