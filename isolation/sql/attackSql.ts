import type pg from 'pg';
import type { Attempt } from '../attempt.ts';
import { type Catalog, isReachable } from '../catalog.ts';
import type { SeedData } from '../seedData/seedData.ts';
import { AttackSession, type AttackSessionOptions } from './attackSession.ts';
import { type AttackTarget, createAttackTarget } from './attackTarget.ts';
import { calls } from './calls.ts';
import { followUps } from './followUps.ts';
import { attacksOfMembers } from './groupActors.ts';
import { inserts, references } from './inserts.ts';
import { differs, isSame, judge } from './judge.ts';
import { otherRoles, privileges } from './privileges.ts';
import { reads } from './reads.ts';
import { isOwnerError, type OwnerErrors } from './refusals.ts';
import { SideEffects } from './sideEffects.ts';
import type { SqlAnswer, SqlAttack } from './sqlAttack.ts';
import { actorsWithoutTenant, attacksWithoutTenant, unset } from './withoutTenant.ts';
import { writes, writesOfReaders, writesOfStaff } from './writes.ts';

export interface SqlOptions extends AttackSessionOptions {
  /** The role that owns the tables, if FORCE ROW LEVEL SECURITY is meant to apply to it. */
  readonly owner?: string | undefined;
  /** Errors that A gets on its own rows. An answer with one of them is not judged. */
  readonly ownerErrors?: OwnerErrors | undefined;
  /** Selects tables, views and functions by name; defaults to all. */
  readonly only?: ((name: string) => boolean) | undefined;
}

/**
 * Attacks every table, view and function that the role can reach, as B and without a tenant. Each attack runs with A's
 * rows present and with A's rows deleted. A different answer is a leak, and so is any change of A's rows.
 *
 * @param client in an open transaction with the seed data, as a role that bypasses row-level security. Every attack is
 *   rolled back to a savepoint; the transaction stays open.
 */
export async function* attackSql(
  client: pg.ClientBase,
  catalog: Catalog,
  seedData: SeedData,
  options: SqlOptions = {},
): AsyncGenerator<Attempt> {
  const { only = () => true, owner, ownerErrors = new Set<string>() } = options;
  const { rows } = await client.query('select current_setting($1, true) is null as unset', [catalog.setting]);
  const session = await AttackSession.open(client, catalog, seedData, options);
  const targets = targetsOf(client, catalog, seedData, options);
  if (rows[0].unset) {
    for (const target of targets) yield* withAndWithoutA(session, attacksWithoutTenant(target, unset), ownerErrors);
  }
  const sideEffects = await SideEffects.open(session);
  for (const target of targets) {
    yield* withAndWithoutA(session, await attacksOn(session, target, owner), ownerErrors);
    yield* sideEffects.of(target);
  }
  yield* sideEffects.ofSequences(targets);
  yield* withAndWithoutA(session, await followUps(session, targets, only), ownerErrors);
  const all = calls(catalog, seedData);
  for (const name of new Set(all.map(({ table }) => table))) {
    if (only(name))
      yield* withAndWithoutA(
        session,
        all.filter(({ table }) => table === name),
        ownerErrors,
      );
  }
}

/** Every table and view of the schema, and those in other schemas that the role can reach. */
export function targetsOf(
  client: pg.ClientBase,
  catalog: Catalog,
  seedData: SeedData,
  { only = () => true }: SqlOptions,
): AttackTarget[] {
  return [...catalog.tables, ...catalog.views]
    .filter((relation) => only(relation.name) && (relation.schema === catalog.schema || isReachable(relation)))
    .map((relation) => createAttackTarget(client, catalog, seedData, relation));
}

async function attacksOn(
  session: AttackSession,
  target: AttackTarget,
  owner: string | undefined,
): Promise<SqlAttack[]> {
  const { catalog, seedData } = session;
  return [
    ...reads(catalog, target),
    ...(target.relation.kind === 'materialized view'
      ? []
      : [...writes(seedData, target), ...inserts(seedData, target), ...references(seedData, target)]),
    ...actorsWithoutTenant(seedData, catalog).flatMap((actor) => attacksWithoutTenant(target, actor)),
    ...attacksOfMembers(catalog, seedData, target),
    ...writesOfStaff(seedData, target),
    ...writesOfReaders(seedData, target),
    ...privileges(catalog, target),
    ...(await otherRoles(session, target, owner)),
  ];
}

/** Runs each attack with and without A's rows and judges it. A difference counts only if a second run confirms it. */
async function* withAndWithoutA(
  session: AttackSession,
  attacks: readonly SqlAttack[],
  ownerErrors: OwnerErrors,
): AsyncGenerator<Attempt> {
  const different = [
    ...new Map(
      attacks.map((attack) => [
        `${attack.actor.name} ${attack.statements.join(';')} ${attack.prepare?.join()}`,
        attack,
      ]),
    ).values(),
  ];
  const answers = new Map<SqlAttack, SqlAnswer>();
  for (const attack of different) answers.set(attack, await session.run(attack));
  const without = new Map<SqlAttack, SqlAnswer>();
  // A missing grant gives the same answer without A's rows.
  const open = different.filter((attack) => !attack.isOfA && !isDenied(answers.get(attack) as SqlAnswer));
  for (const [reader, all] of Map.groupBy(open, ({ actor }) => session.readerOf(actor)))
    await session.withoutA(reader, async () => {
      for (const attack of all) without.set(attack, await session.run(attack));
    });
  for (const attack of different) {
    const answer = answers.get(attack) as SqlAnswer;
    const other = without.get(attack) ?? answer;
    const isUnjudged = isOwnerError(ownerErrors, answer) || isOwnerError(ownerErrors, other);
    const isDifferent = !isUnjudged && !isSame(answer, other) && differs(answer, await session.run(attack), other);
    const attempt = judge(session.catalog, session.seedData, attack, answer, other, isDifferent);
    yield isUnjudged && attempt.outcome === 'held' ? { ...attempt, outcome: 'not applicable' } : attempt;
  }
}

const isDenied = ({ code, message }: SqlAnswer) => code === '42501' && /^permission denied for/.test(message ?? '');
