import type { ApiRule } from '../rule.ts';

export const rule: ApiRule = {
  level: 'error',
  title: 'the server cannot build the API from the schema',
  ofApi: ({ failure }) => (failure ? [failure] : []),
};
