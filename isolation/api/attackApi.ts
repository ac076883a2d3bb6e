import { type Attempt, shorten } from '../attempt.ts';
import type { Control } from '../controls.ts';
import { asText } from './attack.ts';
import type { AttackContext } from './attackContext.ts';
import { attackConnection } from './connections.ts';
import { attackField, operationOf, type TriedField, tryField } from './fields.ts';
import { attackIdempotency } from './idempotency.ts';
import { attackNested } from './nested.ts';
import { attackNonInterference } from './nonInterference.ts';
import { attackOrganizations } from './organizations.ts';
import { type Accounts, attackRoutes } from './routes.ts';
import type { AttackContextParts } from './scratch.ts';
import { attackSubscriptions } from './subscriptions.ts';
import { attackUnauthenticated, attackWithForgeries, type RevokedActors } from './unauthenticated.ts';
import { createRequest } from './validArguments.ts';

/** The results of an attack on an API. */
export interface ApiResult {
  readonly attempts: readonly Attempt[];
  /** Fields that work for A, and fields that work for no one for a reason in the catalog. */
  readonly controls: readonly Control[];
  /** Fields without working arguments. Their refusals prove nothing. */
  readonly unproven: readonly string[];
  /** Answers that report a server failure. */
  readonly failures: readonly string[];
}

export interface AttackApiOptions {
  readonly revokedActors: RevokedActors;
  readonly accounts: Accounts;
  /** Selects the tables whose fields are attacked; defaults to all. */
  readonly only?: ((table: string) => boolean) | undefined;
  readonly progress?: (line: string) => void;
}

/** Attacks every field of Query, Mutation and Subscription, and the routes outside the API. */
export async function attackApi(
  parts: AttackContextParts,
  { revokedActors, accounts, only, progress = () => {} }: AttackApiOptions,
): Promise<ApiResult> {
  const attempts: Attempt[] = [];
  const failures = new Map<string, string>();
  const context: AttackContext = {
    ...parts,
    report: (attempt) => attempts.push(attempt),
    failed: (what, field = what) => failures.set(field, what),
  };
  const unproven: string[] = [];
  const tried: TriedField[] = [];
  const controls: Control[] = [];
  const explained = new Set<string>();
  const isWanted = (type: string) => only?.(context.tableOf(type)) ?? true;
  const selected = context.api.fields.filter(
    ({ entity, field }) => isWanted(entity?.name ?? '') || (only?.(context.routineOf(field.name) ?? '') ?? true),
  );
  for (const root of selected) {
    const one = await tryField(context, root);
    tried.push(one);
    if (one.works.a) {
      controls.push(controlOf(context, one));
      continue;
    }
    const why = await context.explain(root, one.answer, context.tableOf(root.entity?.name));
    if (why) controls.push(controlOf(context, one, why));
    if (why) explained.add(root.field.name);
    else unproven.push(`${root.operation} ${root.field.name}: ${notFound} (${shorten(one.answer?.text ?? '')})`);
  }
  const failing = tried.filter(({ works }) => !works.a);
  progress(`${tried.length - failing.length} of ${tried.length} fields work for A on its own rows`);
  await attackNested(context, isWanted);
  for (const one of tried) {
    await attackField(context, one);
    if (one.root.operation === 'query') await attackConnection(context, one.root, one.forB);
    progress(`${one.root.operation} ${one.root.field.name}: ${attempts.length} attacks`);
  }
  await attackNonInterference(context, tried);
  await attackIdempotency(context, tried);
  await attackOrganizations(context, tried);
  await attackUnauthenticated(context, tried, revokedActors);
  if (!only) {
    await attackWithForgeries(context, revokedActors);
    await attackRoutes(context, accounts);
  }
  for (const [field, why] of await attackSubscriptions(context, tried, isWanted))
    unproven.push(`subscription ${field}: ${why}`);
  return {
    attempts,
    controls,
    unproven,
    failures: [...failures].filter(([field]) => !explained.has(field)).map(([, what]) => what),
  };
}

const notFound = 'no arguments were found that work for A';

function controlOf(context: AttackContext, { root, forA, answer, works }: TriedField, reason?: string): Control {
  return {
    table: context.tableOf(root.entity?.name ?? root.field.name),
    operation: operationOf(root),
    works: works.a,
    ...(reason !== undefined && { reason }),
    statement: asText(createRequest(root, context.api.rows, forA)),
    answer: shorten(answer?.text ?? ''),
  };
}
