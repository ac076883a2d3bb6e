import type pg from 'pg';
import type { Attempt } from '../attempt.ts';
import { type Catalog, isReachable } from '../catalog.ts';
import type { SeedData } from '../seedData/seedData.ts';
import { AttackSession, type AttackSessionOptions } from './attackSession.ts';
import { type AttackTarget, createAttackTarget } from './attackTarget.ts';
import { calls } from './calls.ts';
import { inserts, references } from './inserts.ts';
import { differs, isSame, judge } from './judge.ts';
import { asNobody, nobodies, unset } from './nobody.ts';
import { otherRoles, privileges } from './privileges.ts';
import { reads } from './reads.ts';
import { isOwnerError, type OwnerErrors } from './refusals.ts';
import { SideEffects } from './sideEffects.ts';
import type { SqlAnswer, SqlAttack } from './sqlAttack.ts';
import { writes } from './writes.ts';

export interface SqlOptions extends AttackSessionOptions {
  /** The role that owns the tables and is meant to be bound by row-level security, too. */
  readonly owner?: string | undefined;
  /** Errors that A itself gets: a difference that consists of one is no leak. */
  readonly ownerErrors?: OwnerErrors | undefined;
  /** Which tables, views and functions, by name; all where it is missing. */
  readonly only?: ((name: string) => boolean) | undefined;
}

/**
 * Attacks every table, view and function that the role can reach, one after the other: as B on what is A's, and as
 * nobody. Each attack runs where A's rows are and where they are not: an answer that differs is a leak, whatever it
 * says, and so is any change of A's rows.
 *
 * @param client in an open transaction that has the seed data, as a role that row-level security does not bind. What
 *   the attacks do is taken back; the transaction itself stays as it is.
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
    for (const target of targets) yield* inBothWorlds(session, asNobody(target, unset), ownerErrors);
  }
  const sideEffects = await SideEffects.open(session);
  for (const target of targets) {
    yield* inBothWorlds(session, await attacksOn(session, target, owner), ownerErrors);
    yield* sideEffects.of(target);
  }
  yield* sideEffects.ofSequences(targets);
  const all = calls(catalog, seedData);
  for (const name of new Set(all.map(({ table }) => table))) {
    if (only(name))
      yield* inBothWorlds(
        session,
        all.filter(({ table }) => table === name),
        ownerErrors,
      );
  }
}

/** Every table and view of the schema, and those elsewhere that the role can reach. */
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
    ...nobodies(seedData, catalog).flatMap((actor) => asNobody(target, actor)),
    ...privileges(catalog, target),
    ...(await otherRoles(session, target, owner)),
  ];
}

/** Runs attacks with A's rows and without, and judges each; a difference is looked at again before it counts. */
async function* inBothWorlds(
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
  // A missing grant does not depend on rows.
  const open = different.filter((attack) => !isDenied(answers.get(attack) as SqlAnswer));
  await session.withoutA(async () => {
    for (const attack of open) without.set(attack, await session.run(attack));
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
