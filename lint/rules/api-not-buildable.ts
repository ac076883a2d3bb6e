import type { ApiRule } from '../rule.ts';

export const rule: ApiRule = {
  level: 'error',
  title: 'the server cannot build the API from the schema, so it does not start',
  ofApi: ({ failure }) => (failure ? [failure] : []),
};
