import { type Operation, shorten } from './attempt.ts';
import type { Row } from './cast/cast.ts';
import type { Policy } from './catalog.ts';
import { describe } from './sql/attack.ts';
import type { Session } from './sql/session.ts';
import type { Target } from './sql/target.ts';

/** Something that a grant lets A do with its own rows, and whether it works. */
export interface Control {
  readonly table: string;
  readonly operation: Operation;
  readonly statement: string;
  readonly works: boolean;
  readonly answer: string;
  /** Why it cannot work for anybody, where the catalog says so: then a denial is no accident. */
  readonly reason?: string;
}

/**
 * What A can do with its own rows. Where the owner cannot, that others cannot proves nothing. What a constraint or a
 * trigger refuses has passed the policies.
 */
export async function* controls(session: Session, target: Target): AsyncGenerator<Control> {
  const { relation, a, selected, inserted, updated, id, literal, ownership } = target;
  const [row] = a.rows;
  if (!row || !relation.usage) return;
  const actor = { name: 'A', identity: session.cast.a.id };
  const isView = relation.kind.includes('view');
  const check = async (operation: Operation, statement: string, prepare: readonly string[] = []): Promise<Control> => {
    const answer = await session.run({
      table: relation.name,
      attack: 'control',
      operation,
      actor,
      statements: [statement],
      prepare,
    });
    const [result] = answer.results;
    const refused = answer.code === '42501' || answer.code === '22P02';
    const isIdle = answer.code === undefined && (result?.count ?? 0) === 0;
    const works = !isIdle && !refused;
    const reason = works
      ? undefined
      : isView && isIdle
        ? "the view shows none of A's rows"
        : missingPolicy(target, operation);
    return {
      table: relation.name,
      operation,
      statement: `-- as A, ${session.catalog.setting} = '${actor.identity}'\n${statement}`,
      works,
      answer: shorten(describe(answer)),
      ...(reason && { reason }),
    };
  };
  if (selected.length > 0)
    yield await check('select', `select ${selected.map(({ name }) => id(name)).join(', ')} from ${relation.sql}`);
  // What a view shows of the row that would be written is not known; whether it may be written at all is.
  if (isView) return;
  // A row that a policy keeps from A itself, such as one that is deleted softly, says nothing of the others.
  async function anyOf<Item>(items: readonly Item[], ask: (item: Item) => Promise<Control>): Promise<Control> {
    let first: Control | undefined;
    for (const item of items) {
      const control = await ask(item);
      if (control.works) return control;
      first ??= control;
    }
    return first as Control;
  }
  if (a.spare.length > 0 && inserted.length > 0)
    yield await anyOf(a.spare, (spare) => {
      const columns = inserted.filter(({ name, identity }) => name in spare && identity !== 'always');
      const into =
        columns.length === 0
          ? 'default values'
          : `(${columns.map(({ name }) => id(name)).join(', ')}) values (${columns.map(({ name }) => literal(name, spare[name] ?? null)).join(', ')})`;
      const prepare =
        a.replaces && ownership
          ? [
              `delete from ${relation.sql} t where ${ownership.sql('t')} = ${session.client.escapeLiteral(actor.identity)}`,
            ]
          : [];
      return check('insert', `insert into ${relation.sql} ${into}`, prepare);
    });
  // Where no column may be read, a row cannot be named.
  const isNamed = target.key.every((name) => selected.some((column) => column.name === name));
  const where = (one: Row) => (isNamed ? ` where ${target.where(one)}` : '');
  for (const { name } of updated)
    yield await anyOf(a.rows, (one) =>
      check('update', `update ${relation.sql} t set ${id(name)} = ${literal(name, one[name] ?? null)}${where(one)}`),
    );
  if (relation.privileges.includes('delete'))
    yield await anyOf(a.rows, (one) => check('delete', `delete from ${relation.sql} t${where(one)}`));
}

function missingPolicy({ relation }: Target, operation: Operation): string | undefined {
  const asks =
    (wanted: Operation) =>
    ({ applies, permissive, command }: Policy) =>
      applies && permissive && (command === wanted || command === 'all');
  if (!relation.rowSecurity) return undefined;
  if (!relation.policies.some(asks(operation))) return `there is a grant, and no policy for ${operation}: nobody can`;
  return operation !== 'insert' && !relation.policies.some(asks('select'))
    ? 'there is no policy for select: no row can be named'
    : undefined;
}
