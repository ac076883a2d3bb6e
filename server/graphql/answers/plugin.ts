import { getOperationAST } from 'postgraphile/graphql';
import { writeLists } from './lists.ts';
import type { OperationPlan } from './plan.ts';

/**
 * Has Grafast write the data of queries that come over HTTP as JSON at once, instead of as objects that are made into
 * JSON afterwards. Mutations are looked through before they are answered, and websockets frame objects.
 */
export const textAnswersPlugin: GraphileConfig.Plugin = {
  name: 'TextAnswersPlugin',
  version: '1.0.0',
  grafast: {
    middleware: {
      execute(next, { args }) {
        const { document, operationName, requestContext } = args;
        const isQuery = getOperationAST(document, operationName)?.operation === 'query';
        if (isQuery && requestContext?.expressv4) args.outputDataAsString = true;
        return next();
      },
      establishOperationPlan(next, { args }) {
        const plan = next();
        if (args.outputDataAsString) writeLists(plan as object as OperationPlan);
        return plan;
      },
    },
  },
};

/** The JSON of an answer, whose data may be JSON already. */
export function textOf(answer: object): string {
  const { data, ...rest } = answer as { data?: unknown };
  if (typeof data !== 'string') return JSON.stringify(answer);
  const others = JSON.stringify(rest);
  return others === '{}' ? `{"data":${data}}` : `{"data":${data},${others.slice(1)}`;
}
