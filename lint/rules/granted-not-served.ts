import type { ApiRule } from '../rule.ts';

export const rule: ApiRule = {
  level: 'warning',
  title: 'tenants are granted something that the API does not have',
  ofApi: ({ unserved }) => unserved,
};
