import type { PolicyRule } from '../rule.ts';

export const rule: PolicyRule = {
  level: 'error',
  title: 'a policy needs a privilege that tenants lack, so every statement that uses it fails',
  judge: ({ missingRights: { certain, possible } }) => {
    if (certain.length > 0)
      return `tenants may not ${certain.join(' or ')}, so every statement that uses the policy fails: grant it`;
    if (possible.length === 0) return undefined;
    const detail = `tenants may not ${possible.join(' or ')}, so statements that reach it fail unless an exception handler catches the error: grant it`;
    return { detail, level: 'warning' };
  },
};
