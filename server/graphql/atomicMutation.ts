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

/** Steps that send one statement each time they run, and at the root of a mutation they run once. */
const oneStatement = new Set(['PgInsertSingleStep', 'PgUpdateSingleStep', 'PgDeleteSingleStep']);

/** Fields of the request context that an operation uses. */
interface Context {
  pgSettings: Record<string, string | undefined> | null;
  readonly idempotencyKey?: string | undefined;
}

/**
 * Makes each mutation operation one transaction: all of its fields happen or none, and what it answers is read inside.
 * PostGraphile by itself commits each field before the next begins. With an Idempotency-Key it happens once.
 */
export const atomicMutationPlugin: GraphileConfig.Plugin = {
  name: 'AtomicMutationPlugin',
  version: '1.0.0',
  grafast: {
    middleware: {
      // Not async: a query, which this is not about, shall not wait for one promise more.
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
  const client = new MutationClient(context.pgSettings as unknown as TenantClient);
  context.pgSettings = asPgSettings(client);
  try {
    const request = idempotentRequestOf(args, context);
    const answered = request && (await claim(client, request));
    const result = answered ?? (await execute());
    // From here on it waits, and other requests have the event loop.
    args.requestContext?.expressv4?.req.hold?.end();
    if (!('data' in result) || !result.data) {
      await client.rollback();
      return result;
    }
    const checked = withMissingRows(result as MutationResult);
    if (checked.errors) return await finish(client, checked);
    const worked = args.requestContext?.expressv4?.req ?? {};
    if (!(await fits(checked.data, worked))) {
      await client.rollback();
      return nothingDone(checked, [
        answerTooLarge(client.isCommitted ? 'The mutation was done, but its answer' : undefined),
      ]);
    }
    if (request && !answered) await keepAnswer(client, request, checked.data, worked);
    return await finish(client, checked);
  } catch (error) {
    await client.rollback();
    return { errors: [error instanceof GraphQLError ? error : failure(error)] };
  }
}

function idempotentRequestOf(
  { document, operationName, variableValues }: ExecutionArgs,
  { idempotencyKey }: Context,
): IdempotentRequest | undefined {
  if (idempotencyKey === undefined) return undefined;
  const text = document.loc?.source.body ?? print(document);
  return idempotentRequest(idempotencyKey, { text, name: operationName, variables: variableValues });
}

async function finish(client: MutationClient, result: MutationResult): Promise<MutationResult> {
  if (result.errors !== undefined) {
    await client.rollback();
    return nothingDone(
      result,
      result.errors.filter(({ originalError }) => !(originalError instanceof MutationFailedError)),
    );
  }
  try {
    await client.commit();
    return result;
  } catch (error) {
    return nothingDone(result, [failure(error)]);
  }
}

function failure(error: unknown): GraphQLError {
  return new GraphQLError('The mutation failed.', { originalError: error as Error });
}

function nothingDone({ data }: MutationResult, errors: readonly GraphQLError[]): MutationResult {
  return { data: Object.fromEntries(Object.keys(data).map((key) => [key, null])), errors };
}

/**
 * A mutation whose id names no row at all is skipped by PostGraphile, and comes back as null, as if it had been done.
 * Here it is the same error as for a row that does not exist.
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

const known = new WeakMap<Plan, boolean>();

function isOneStatement(plan: Plan): boolean {
  let answer = known.get(plan);
  if (answer === undefined) {
    const steps = plan.generatePlanJSON().buckets.flatMap((bucket) => bucket.steps);
    const asynchronous = steps.filter(({ isSyncAndSafe }) => !isSyncAndSafe);
    answer = asynchronous.length === 1 && oneStatement.has(asynchronous[0]?.stepClass ?? '');
    known.set(plan, answer);
  }
  return answer;
}
