import { GraphQLError, getOperationAST } from 'postgraphile/graphql';
import { RowNotFoundError } from './errors.ts';

/**
 * A mutation whose id names no row at all is skipped by PostGraphile, and comes back as null, as if it had been done.
 * Here it is the same error as for a row that does not exist.
 */
export const notFoundPlugin: GraphileConfig.Plugin = {
  name: 'NotFoundPlugin',
  version: '1.0.0',
  grafast: {
    middleware: {
      async execute(next, { args: { document, operationName } }) {
        const result = await next();
        if (getOperationAST(document, operationName)?.operation !== 'mutation' || !('data' in result) || !result.data) {
          return result;
        }
        const errors = result.errors ?? [];
        const missing = Object.entries(result.data)
          .filter(([key, value]) => value === null && !errors.some(({ path }) => path?.[0] === key))
          .map(([key]) => {
            const originalError = new RowNotFoundError();
            return new GraphQLError('There is no such row.', { path: [key], originalError });
          });
        return missing.length === 0 ? result : { ...result, errors: [...errors, ...missing] };
      },
    },
  },
};
