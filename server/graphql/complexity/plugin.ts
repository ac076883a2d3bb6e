import type { Request as HttpRequest } from 'express';
import { isSafeError } from 'postgraphile/grafast';
import {
  type DocumentNode,
  GraphQLError,
  type GraphQLSchema,
  getOperationAST,
  Kind,
  type OperationDefinitionNode,
} from 'postgraphile/graphql';
import { charged } from '../../http/turn.ts';
import { Documents } from '../documents/documents.ts';
import type { LiveConnection } from '../live/connection.ts';
import type { LiveHub } from '../live/hub.ts';
import { byteLimits, limitError, textAnswer, tooComplex } from './complexity.ts';
import { costOf, type OperationCost } from './cost.ts';
import { parser } from './parse.ts';
import type { ReadMeter } from './readMeter.ts';
import { checkVariables } from './variables.ts';

type Hook = Extract<
  NonNullable<NonNullable<GraphileConfig.Plugin['grafserv']>['middleware']>['setPreset'],
  (...args: never[]) => unknown
>;
type SetPresetEvent = Parameters<Hook>[1];
type GetExecutionConfig = SetPresetEvent['getExecutionConfig'];
type ExecutionConfig = Awaited<ReturnType<GetExecutionConfig>>;
type RequestContext = Parameters<GetExecutionConfig>[0];
type ExecutionArgs = Parameters<ExecutionConfig['execute']>[0];
type Executed = Awaited<ReturnType<ExecutionConfig['execute']>>;

interface Options {
  /** The texts of the trusted documents. */
  readonly trusted: ReadonlySet<string>;
  readonly live?: LiveHub | undefined;
}

interface OperationComplexity {
  readonly plugin: GraphileConfig.Plugin;
  /** Adds `bytes` to the memory of a cached document. */
  grow(document: DocumentNode, bytes: number): void;
}

/** State that all requests on one schema share. */
interface SchemaState {
  readonly schema: GraphQLSchema;
  readonly documents: Documents;
  readonly parse: ReturnType<typeof parser>;
  readonly check: Checker;
}

/**
 * Creates the plugin that refuses operations limitError the limits of complexity.ts before they are planned, over HTTP and
 * over WebSockets. It also makes Grafast keep the plans of each document together with the document.
 */
export function createOperationComplexity({ trusted, live }: Options): OperationComplexity {
  let current: SchemaState | undefined;
  const stateOf = (schema: GraphQLSchema, { validationRules }: SetPresetEvent): SchemaState => {
    if (current?.schema === schema) return current;
    const documents = new Documents(schema, trusted);
    current = { schema, documents, parse: parser(schema, validationRules, documents), check: checker(schema) };
    return current;
  };

  const limited = (getConfig: GetExecutionConfig, options: SetPresetEvent): GetExecutionConfig => {
    const withLimits = (config: ExecutionConfig, context: RequestContext): ExecutionConfig => {
      const { schema, execute, subscribe } = config;
      const { parse, check } = stateOf(schema, options);
      const request = requestOf(context, live);
      const user = request?.user;
      return {
        ...config,
        parseAndValidate: (query) => charged(request, () => parse(query, user?.userId ?? '')),
        execute: (args) => {
          const { refusal, isShort } = charged(request, () => check(args));
          return refusal ?? (isShort ? executeAsText(args, execute) : execute(args));
        },
        subscribe: (args) => charged(request, () => check(args)).refusal ?? subscribe(args),
      };
    };
    return function (this: unknown, context) {
      const config = getConfig.call(this as never, context);
      return 'then' in config ? config.then((later) => withLimits(later, context)) : withLimits(config, context);
    };
  };

  const plugin: GraphileConfig.Plugin = {
    name: 'OperationComplexityPlugin',
    version: '1.0.0',
    grafserv: {
      middleware: {
        setPreset(next, event) {
          event.getExecutionConfig = limited(event.getExecutionConfig, event);
          return next();
        },
      },
    },
    grafast: {
      middleware: {
        establishOperationPlan(next, event) {
          const { document, requestContext } = event.args;
          const documents = current?.documents;
          event.schema = documents?.schemaFor(document) ?? event.schema;
          try {
            const plan = charged(requestContext && requestOf(requestContext, live), next);
            const units = current?.check.costs.get(event.operation)?.planning ?? 0;
            documents?.planned(document, event.operation, plan, units);
            return plan;
          } catch (error) {
            if (!isTimeout(error)) throw error;
            // Grafast would cache this error for a minute, for all tenants, even if the server was busy only briefly.
            documents?.forget(document);
            throw tooComplex('planning the operation takes too long');
          }
        },
      },
    },
  };
  return { plugin, grow: (document, bytes) => current?.documents.grow(document, bytes) };
}

/**
 * Executes a query with a short answer, and returns its data as one text. If the query reads too much for that, it runs
 * again and returns values.
 */
async function executeAsText(args: ExecutionArgs, execute: ExecutionConfig['execute']): Promise<Executed> {
  const { meter } = args.contextValue as { meter?: ReadMeter };
  if (!meter) return execute(args);
  meter.restart(textAnswer.read);
  const result = await execute({ ...args, outputDataAsString: true });
  if (!meter.isBeyond) return result;
  meter.restart(byteLimits.read);
  return execute(args);
}

/** Finds the HTTP request or WebSocket connection that is charged for the work. */
function requestOf({ expressv4, ws }: RequestContext, live?: LiveHub): HttpRequest | LiveConnection | undefined {
  return expressv4?.req ?? (ws?.request && live?.connectionOf(ws.request));
}

function isTimeout(error: unknown): boolean {
  return error instanceof Error && isSafeError(error) && error.message.startsWith('Operation took too long to plan');
}

interface Request {
  readonly document: DocumentNode;
  readonly operationName?: string | null | undefined;
  readonly variableValues?: Readonly<Record<string, unknown>> | null | undefined;
}

interface Checked {
  readonly refusal?: { errors: GraphQLError[] } | undefined;
  /** The operation is a query with few values in its answer. A value may still be long. */
  readonly isShort?: boolean;
}

interface Checker {
  (request: Request): Checked;
  readonly costs: WeakMap<OperationDefinitionNode, OperationCost>;
}

/** Checks operations. Checks that depend on variables run for each request; the others run once for each document. */
function checker(schema: GraphQLSchema): Checker {
  const costs = new WeakMap<OperationDefinitionNode, OperationCost>();
  const check = ({ document, operationName, variableValues }: Request): Checked => {
    const operation = getOperationAST(document, operationName);
    // Execution reports that the operation is unknown or ambiguous.
    if (!operation) return {};
    if (!schema.getRootType(operation.operation)) {
      return { refusal: { errors: [new GraphQLError(`the schema has no ${operation.operation} operations`)] } };
    }
    let cost = costs.get(operation);
    if (!cost) {
      const fragments = document.definitions.filter((node) => node.kind === Kind.FRAGMENT_DEFINITION);
      cost = costOf(operation, new Map(fragments.map((node) => [node.name.value, node])), schema);
      costs.set(operation, cost);
    }
    const variables = variableValues ?? {};
    // Check the size of the variables first, because computing the cost reads all of them.
    const wrongVariables = checkVariables(variables, cost.use, operation.operation === 'mutation');
    if (wrongVariables) return { refusal: { errors: [wrongVariables] } };
    const price = cost.of(variables);
    const error = checkCost(price);
    if (error) return { refusal: { errors: [error] } };
    return { isShort: operation.operation === 'query' && !cost.repeats && (price as number) <= textAnswer.cost };
  };
  return Object.assign(check, { costs });
}

function checkCost(cost: number | GraphQLError): GraphQLError | undefined {
  return typeof cost === 'number' ? limitError('cost', cost) : cost;
}
