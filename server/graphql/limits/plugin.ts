import {
  type DocumentNode,
  GraphQLError,
  type GraphQLSchema,
  getOperationAST,
  Kind,
  type OperationDefinitionNode,
} from 'postgraphile/graphql';
import { costOf, type OperationCost } from './cost.ts';
import { beyond } from './limits.ts';
import { parser } from './parse.ts';
import { checkVariables } from './variables.ts';

type Hook = Extract<
  NonNullable<NonNullable<GraphileConfig.Plugin['grafserv']>['middleware']>['setPreset'],
  (...args: never[]) => unknown
>;
type SetPresetEvent = Parameters<Hook>[1];
type GetExecutionConfig = SetPresetEvent['getExecutionConfig'];
type ExecutionConfig = Awaited<ReturnType<GetExecutionConfig>>;

/** Refuses what is beyond the limits of limits.ts before it is planned, over HTTP and over a websocket. */
export const limitsPlugin: GraphileConfig.Plugin = {
  name: 'LimitsPlugin',
  version: '1.0.0',
  grafserv: {
    middleware: {
      setPreset(next, event) {
        event.getExecutionConfig = limited(event.getExecutionConfig, event);
        return next();
      },
    },
  },
};

function limited(getConfig: GetExecutionConfig, options: SetPresetEvent): GetExecutionConfig {
  let parts: Pick<ExecutionConfig, 'schema' | 'parseAndValidate' | 'execute' | 'subscribe'> | undefined;
  const withLimits = (config: ExecutionConfig): ExecutionConfig => {
    const { schema, execute, subscribe } = config;
    if (parts?.schema !== schema) {
      const refusal = checker(schema);
      parts = {
        schema,
        parseAndValidate: parser(schema, options.validationRules),
        execute: (args) => refusal(args) ?? execute(args),
        subscribe: (args) => refusal(args) ?? subscribe(args),
      };
    }
    return { ...config, ...parts };
  };
  return function (this: unknown, ctx) {
    const config = getConfig.call(this as never, ctx);
    return 'then' in config ? config.then(withLimits) : withLimits(config);
  };
}

interface Request {
  readonly document: DocumentNode;
  readonly operationName?: string | null | undefined;
  readonly variableValues?: Readonly<Record<string, unknown>> | null | undefined;
}

/** What depends on variables is checked for each request; what does not, once for each document. */
function checker(schema: GraphQLSchema): (request: Request) => { errors: GraphQLError[] } | undefined {
  const costs = new WeakMap<OperationDefinitionNode, OperationCost>();
  return ({ document, operationName, variableValues }) => {
    const operation = getOperationAST(document, operationName);
    // Which operation is meant is not said: executing it will say so.
    if (!operation) return undefined;
    if (!schema.getRootType(operation.operation)) {
      return { errors: [new GraphQLError(`there are no operations of the type ${operation.operation}`)] };
    }
    let cost = costs.get(operation);
    if (!cost) {
      const fragments = document.definitions.filter((node) => node.kind === Kind.FRAGMENT_DEFINITION);
      cost = costOf(operation, new Map(fragments.map((node) => [node.name.value, node])), schema);
      costs.set(operation, cost);
    }
    const variables = variableValues ?? {};
    const value = cost.of(variables);
    const error = typeof value === 'number' ? (beyond('cost', value) ?? checkVariables(variables)) : value;
    return error && { errors: [error] };
  };
}
