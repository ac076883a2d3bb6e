import type { ApiRule } from '../rule.ts';

export const rule: ApiRule = {
  level: 'warning',
  title: 'tenants have a grant that the API does not use',
  ofApi: ({ unserved }) => unserved,
};
