import { type Attempt, shorten } from '../attempt.ts';
import type { Control } from '../controls.ts';
import { asText } from './attack.ts';
import type { AttackContext } from './attackContext.ts';
import { attackConnection } from './connections.ts';
import { attackField, operationOf, type Tried, tryField } from './fields.ts';
import { attackIdempotency } from './idempotency.ts';
import { attackNested } from './nested.ts';
import { attackNonInterference } from './nonInterference.ts';
import { type Accounts, attackRoutes } from './routes.ts';
import type { AttackContextParts } from './scratch.ts';
import { attackSubscriptions } from './subscriptions.ts';
import { attackUnauthenticated, attackWithForgeries, type RevokedActors } from './unauthenticated.ts';
import { questionOf } from './validArguments.ts';

/** What came of attacking an API. */
export interface ApiResult {
  readonly attempts: readonly Attempt[];
  /** Fields that work for A, and those that work for nobody where the catalog says why. */
  readonly controls: readonly Control[];
  /** Fields that no arguments were found for with which they work: what they refuse proves nothing. */
  readonly unproven: readonly string[];
  /** Answers that say that the server failed. */
  readonly failures: readonly string[];
}

export interface AttackApiOptions {
  readonly revokedActors: RevokedActors;
  readonly accounts: Accounts;
  /** Fields that are about these tables alone; by default all. */
  readonly only?: ((table: string) => boolean) | undefined;
  readonly progress?: (line: string) => void;
}

/** Attacks every field of Query, Mutation and Subscription, and the routes beside the API. */
export async function attackApi(
  parts: AttackContextParts,
  { revokedActors, accounts, only, progress = () => {} }: AttackApiOptions,
): Promise<ApiResult> {
  const attempts: Attempt[] = [];
  const failures = new Map<string, string>();
  const world: AttackContext = {
    ...parts,
    report: (attempt) => attempts.push(attempt),
    failed: (what, field = what) => failures.set(field, what),
  };
  const unproven: string[] = [];
  const tried: Tried[] = [];
  const controls: Control[] = [];
  const explained = new Set<string>();
  const isWanted = (type: string) => only?.(world.tableOf(type)) ?? true;
  const wanted = world.api.fields.filter(
    ({ entity, field }) => isWanted(entity?.name ?? '') || (only?.(world.routineOf(field.name) ?? '') ?? true),
  );
  for (const root of wanted) {
    const one = await tryField(world, root);
    tried.push(one);
    if (one.works.a) {
      controls.push(controlOf(world, one));
      continue;
    }
    const why = await world.explain(root, one.answer, world.tableOf(root.entity?.name));
    if (why) controls.push(controlOf(world, one, why));
    if (why) explained.add(root.field.name);
    else unproven.push(`${root.operation} ${root.field.name}: ${notFound} (${shorten(one.answer?.text ?? '')})`);
  }
  const idle = tried.filter(({ works }) => !works.a);
  progress(`${tried.length - idle.length} of ${tried.length} fields work for their own user`);
  await attackNested(world, isWanted);
  for (const one of tried) {
    await attackField(world, one);
    if (one.root.operation === 'query') await attackConnection(world, one.root, one.forB);
    progress(`${one.root.operation} ${one.root.field.name}: ${attempts.length} attacks`);
  }
  await attackNonInterference(world, tried);
  await attackIdempotency(world, tried);
  await attackUnauthenticated(world, tried, revokedActors);
  if (!only) {
    await attackWithForgeries(world, revokedActors);
    await attackRoutes(world, accounts);
  }
  for (const [field, why] of await attackSubscriptions(world, tried, isWanted))
    unproven.push(`subscription ${field}: ${why}`);
  return {
    attempts,
    controls,
    unproven,
    failures: [...failures].filter(([field]) => !explained.has(field)).map(([, what]) => what),
  };
}

const notFound = 'no arguments were found with which it works for A';

function controlOf(world: AttackContext, { root, forA, answer, works }: Tried, reason?: string): Control {
  return {
    table: world.tableOf(root.entity?.name ?? root.field.name),
    operation: operationOf(root),
    works: works.a,
    ...(reason !== undefined && { reason }),
    statement: asText(questionOf(root, world.api.rows, forA)),
    answer: shorten(answer?.text ?? ''),
  };
}
