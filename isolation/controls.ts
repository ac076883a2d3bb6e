import { type Operation, shorten } from './attempt.ts';
import type { Policy } from './catalog.ts';
import { isKey } from './ownership.ts';
import type { Row } from './seedData/seedData.ts';
import type { AttackSession } from './sql/attackSession.ts';
import type { AttackTarget } from './sql/attackTarget.ts';
import { readsOfMembers } from './sql/groupActors.ts';
import { asActor } from './sql/judge.ts';
import { isRaisedAfterPolicies, isRefusedByConstraint } from './sql/refusals.ts';
import { type Actor, describe, type SqlAnswer, type SqlAttack } from './sql/sqlAttack.ts';

/** An operation that a grant allows A on its own rows, and whether it works. */
export interface Control {
  readonly table: string;
  readonly operation: Operation;
  /** The column that an update writes. */
  readonly column?: string;
  readonly statement: string;
  readonly works: boolean;
  readonly answer: string;
  /** The error that A received. */
  readonly error?: { readonly code: string; readonly message: string; readonly context?: string };
  /** The reason in the catalog why it cannot work for anyone. The denial is then intended. */
  readonly reason?: string;
}

/**
 * Tries each granted operation as A on its own rows. If the owner cannot do it, a refusal of others proves nothing.
 *
 * A read works if it returns a row. A write works if it changes a row. It also works if a constraint or an AFTER
 * trigger refuses the row, because Postgres checks these after the policies have accepted the row. Any other error means
 * that the operation does not work: a policy that raises an error locks everyone out.
 */
export async function* controls(session: AttackSession, target: AttackTarget): AsyncGenerator<Control> {
  const { relation, a, selected, inserted, updated, id, literal, ownership } = target;
  const [row] = a.rows;
  if (!relation.usage) return;
  const owner: Actor = { name: 'A', identity: session.seedData.a.id };
  const isView = relation.kind.includes('view');
  const hasSharedRows = (session.seedData.shared.get(relation.oid)?.length ?? 0) > 0;
  const check = (operation: Operation, statement: string, options: Partial<SqlAttack> & { column?: string } = {}) =>
    tryControl(session, target, { operation, statement, actor: owner, ...options });
  if (selected.length > 0 && (row || isView || hasSharedRows)) {
    const read = `select ${selected.map(({ name }) => id(name)).join(', ')} from ${relation.sql} t`;
    yield await check('select', read);
    for (const { where, ...member } of readsOfMembers(session.catalog, session.seedData, target))
      yield await check('select', read + where, member);
  }
  // The rows that a write through the view changes are unknown. Its tables have their own controls.
  if (isView || !row) return;
  if (a.insertableRows.length > 0 && inserted.length > 0)
    yield await anyOf(a.insertableRows, async (insertableRows) => {
      const columns = inserted.filter(({ name, identity }) => name in insertableRows && identity !== 'always');
      const into =
        columns.length === 0
          ? 'default values'
          : `(${columns.map(({ name }) => id(name)).join(', ')}) values (${columns.map(({ name }) => literal(name, insertableRows[name] ?? null)).join(', ')})`;
      const prepare =
        a.replaces && ownership
          ? [
              `delete from ${relation.sql} t where ${ownership.sql('t')} = ${session.client.escapeLiteral(session.seedData.a.id)}`,
            ]
          : [];
      const statement = `insert into ${relation.sql} ${into}`;
      const control = await check('insert', statement, { prepare });
      // If each tenant has one row in the table, a sign-up policy may admit only users who are not signed in.
      if (control.works || !isKey(relation, ownership?.column?.name ?? '')) return control;
      const newcomer = { name: 'A, before signing in', identity: '' };
      const before = await check('insert', statement, { prepare, actor: newcomer });
      return before.works ? before : control;
    });
  // A condition needs SELECT on the key columns.
  const isNamed = target.key.every((name) => selected.some((column) => column.name === name));
  const where = (one: Row) => (isNamed ? ` where ${target.where(one)}` : '');
  // Postgres refuses every update of a GENERATED ALWAYS identity column.
  for (const { name } of updated.filter(({ identity }) => identity !== 'always'))
    yield await anyOf(a.rows, (one) =>
      check('update', `update ${relation.sql} t set ${id(name)} = ${literal(name, one[name] ?? null)}${where(one)}`, {
        column: name,
      }),
    );
  if (relation.privileges.includes('delete'))
    yield await anyOf(a.rows, (one) => check('delete', `delete from ${relation.sql} t${where(one)}`));
}

/** Returns the first control that works. A policy may hide some rows, such as soft-deleted ones, even from A. */
async function anyOf<Item>(items: readonly Item[], check: (item: Item) => Promise<Control>): Promise<Control> {
  let first: Control | undefined;
  for (const item of items) {
    const control = await check(item);
    if (control.works) return control;
    first ??= control;
  }
  return first as Control;
}

interface Trial extends Pick<SqlAttack, 'operation' | 'actor' | 'prepare'> {
  readonly statement: string;
  readonly column?: string;
}

async function tryControl(session: AttackSession, target: AttackTarget, trial: Trial): Promise<Control> {
  const { operation, statement, actor, prepare = [], column } = trial;
  const { relation } = target;
  const attack: SqlAttack = {
    table: relation.name,
    attack: 'control',
    operation,
    actor,
    statements: [statement],
    prepare,
  };
  let answer = await session.run(attack);
  let works = isWorking(session, target, answer, operation);
  const mayBeTrigger = operation !== 'select' && session.canSuppressTriggers && relation.triggers.length > 0;
  if (!works && mayBeTrigger) {
    // A BEFORE trigger runs before the policies. Without it, the answer shows whether the policies allow the write.
    const again = await session.run({ ...attack, withoutTriggers: true });
    if (isWorking(session, target, again, operation)) [answer, works] = [again, true];
  }
  const { code, message = '', context } = answer;
  const isDenied = code === undefined || code === '42501';
  const reason = works || !isDenied ? undefined : whyNobodyCan(target, operation, code === undefined);
  return {
    table: relation.name,
    operation,
    ...(column !== undefined && { column }),
    statement: `${asActor(session.catalog, actor)}\n${statement}`,
    works,
    answer: shorten(describe(answer)),
    ...(!works && code !== undefined && { error: { code, message, ...(context && { context }) } }),
    ...(reason && { reason }),
  };
}

function isWorking(
  { catalog }: AttackSession,
  { relation }: AttackTarget,
  answer: SqlAnswer,
  operation: Operation,
): boolean {
  if (answer.code === undefined) return (answer.results[0]?.count ?? 0) > 0;
  return operation !== 'select' && (isRefusedByConstraint(answer) || isRaisedAfterPolicies(catalog, relation, answer));
}

function whyNobodyCan(target: AttackTarget, operation: Operation, isEmpty: boolean): string | undefined {
  const isView = target.relation.kind.includes('view');
  return isView && isEmpty ? "the view shows none of A's rows" : missingPolicy(target, operation);
}

function missingPolicy({ relation }: AttackTarget, operation: Operation): string | undefined {
  const allows =
    (wanted: Operation) =>
    ({ applies, permissive, command }: Policy) =>
      applies && permissive && (command === wanted || command === 'all');
  if (!relation.rowSecurity) return undefined;
  if (!relation.policies.some(allows(operation)))
    return `there is a grant and no policy for ${operation}, so no one can`;
  return operation !== 'insert' && !relation.policies.some(allows('select'))
    ? 'there is no policy for select, so no statement can find the row'
    : undefined;
}
