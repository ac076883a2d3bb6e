import type { GrafastExecutionArgs } from 'postgraphile/grafast';
import { type ExecutionArgs, type ExecutionResult, GraphQLError, getOperationAST, print } from 'postgraphile/graphql';
import { answerTooLarge } from './complexity/complexity.ts';
import { RowNotFoundError } from './errors.ts';
import { claim, type IdempotentRequest, idempotentRequest, keepAnswer } from './idempotency.ts';
import { MutationClient, MutationFailedError, type TenantClient } from './mutationClient.ts';
import { fits } from './output/answer.ts';
import { asPgSettings } from './pgService.ts';

interface MutationResult {
  readonly data: Readonly<Record<string, unknown>>;
  readonly errors?: readonly GraphQLError[];
}

interface Plan {
  generatePlanJSON(): { buckets: { steps: { stepClass: string; isSyncAndSafe?: true | undefined }[] }[] };
}

/** Steps that send one statement for each run. At the root of a mutation they run once. */
const singleStatementSteps = new Set(['PgInsertSingleStep', 'PgUpdateSingleStep', 'PgDeleteSingleStep']);

/** Fields of the request context that an operation uses. */
interface Context {
  pgSettings: Record<string, string | undefined> | null;
  readonly idempotencyKey?: string | undefined;
  /** The organization that the request acts for. */
  readonly organizationId?: string | undefined;
}

/**
 * Runs each mutation operation in one transaction. All of its fields succeed or none does, and the transaction also reads
 * the answer. PostGraphile by itself commits each field before the next begins. With an Idempotency-Key, the operation
 * runs only once.
 */
export const atomicMutationPlugin: GraphileConfig.Plugin = {
  name: 'AtomicMutationPlugin',
  version: '1.0.0',
  grafast: {
    middleware: {
      // Not async, so that queries do not wait for one more promise.
      execute(next, { args }) {
        const context = args.contextValue as Context;
        if (!context.pgSettings || getOperationAST(args.document, args.operationName)?.operation !== 'mutation') {
          return next();
        }
        return inOneTransaction(args, context, next);
      },
      establishOperationPlan(next, { context }) {
        const plan = next();
        const { pgSettings, idempotencyKey } = context as Partial<Context>;
        if (pgSettings instanceof MutationClient && idempotencyKey === undefined && isOneStatement(plan as never)) {
          pgSettings.expectOneStatement();
        }
        return plan;
      },
    },
  },
};

async function inOneTransaction(
  args: GrafastExecutionArgs,
  context: Context,
  execute: () => Promise<object> | object,
): Promise<ExecutionResult> {
  const client = new MutationClient(context.pgSettings as unknown as TenantClient, context.organizationId);
  context.pgSettings = asPgSettings(client);
  try {
    const request = readIdempotentRequest(args, context);
    const answered = request && (await claim(client, request));
    const result = answered ?? (await execute());
    // The remaining work waits for the database, so the event loop is free for other requests.
    args.requestContext?.expressv4?.req.hold?.end();
    if (!('data' in result) || !result.data) {
      await client.rollback();
      return result;
    }
    const checked = withMissingRows(result as MutationResult);
    if (checked.errors) return await finish(client, checked);
    const httpRequest = args.requestContext?.expressv4?.req ?? {};
    if (!(await fits(checked.data, httpRequest))) {
      await client.rollback();
      return withoutData(checked, [
        answerTooLarge(client.isCommitted ? 'The mutation succeeded, but its answer' : undefined),
      ]);
    }
    if (request && !answered) await keepAnswer(client, request, checked.data, httpRequest);
    return await finish(client, checked);
  } catch (error) {
    await client.rollback();
    return { errors: [error instanceof GraphQLError ? error : failure(error)] };
  }
}

function readIdempotentRequest(
  { document, operationName, variableValues }: ExecutionArgs,
  { idempotencyKey, organizationId }: Context,
): IdempotentRequest | undefined {
  if (idempotencyKey === undefined) return undefined;
  const text = document.loc?.source.body ?? print(document);
  return idempotentRequest(idempotencyKey, {
    text,
    name: operationName,
    variables: variableValues,
    organizationId,
  });
}

async function finish(client: MutationClient, result: MutationResult): Promise<MutationResult> {
  if (result.errors !== undefined) {
    await client.rollback();
    return withoutData(
      result,
      result.errors.filter(({ originalError }) => !(originalError instanceof MutationFailedError)),
    );
  }
  try {
    await client.commit();
    return result;
  } catch (error) {
    return withoutData(result, [failure(error)]);
  }
}

function failure(error: unknown): GraphQLError {
  return new GraphQLError('The mutation failed.', { originalError: error as Error });
}

function withoutData({ data }: MutationResult, errors: readonly GraphQLError[]): MutationResult {
  return { data: Object.fromEntries(Object.keys(data).map((key) => [key, null])), errors };
}

/**
 * Adds an error for each field whose node id is invalid. PostGraphile skips such a field and returns null, as if it had
 * succeeded. The error is the same as for a row that does not exist.
 */
function withMissingRows(result: MutationResult): MutationResult {
  const errors = result.errors ?? [];
  const missing = Object.entries(result.data)
    .filter(([key, value]) => value === null && !errors.some(({ path }) => path?.[0] === key))
    .map(([key]) => {
      const originalError = new RowNotFoundError();
      return new GraphQLError('There is no such row.', { path: [key], originalError });
    });
  return missing.length === 0 ? result : { ...result, errors: [...errors, ...missing] };
}

const singleStatementPlans = new WeakMap<Plan, boolean>();

function isOneStatement(plan: Plan): boolean {
  let answer = singleStatementPlans.get(plan);
  if (answer === undefined) {
    const steps = plan.generatePlanJSON().buckets.flatMap((bucket) => bucket.steps);
    const asynchronous = steps.filter(({ isSyncAndSafe }) => !isSyncAndSafe);
    answer = asynchronous.length === 1 && singleStatementSteps.has(asynchronous[0]?.stepClass ?? '');
    singleStatementPlans.set(plan, answer);
  }
  return answer;
}
