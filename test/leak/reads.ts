import type { Ledger, Row } from './ledger.ts';
import { pick, weighted } from './random.ts';
import type { Tenant } from './tenant.ts';
import { type Maker, payload, type Work } from './work.ts';

const row = 'rowId title completed priority';
const documents = {
  list: `{ todos(first: 1000, orderBy: CREATED_AT_DESC) { nodes { ${row} } totalCount } currentUser { username } }`,
  byId: `query ($rowId: UUID!) { todo(rowId: $rowId) { ${row} user { rowId username } } }`,
  filter: `query ($text: String!) { todos(first: 1000, filter: {title: {includes: $text}}) { nodes { ${row} } } }`,
  nested: `{ lists(first: 10) { nodes { rowId name todos(first: 900) { nodes { ${row} user { rowId } } totalCount } } } }`,
  currentUser: '{ currentUser { rowId username email } }',
  several: `query ($a: UUID!, $b: UUID!) {
    a: todo(rowId: $a) { ${row} } b: todo(rowId: $b) { ${row} } all: todos { totalCount } me: currentUser { rowId }
  }`,
};

/** How rows are compared with the ledger: by the tenant that writes it, or by somebody who does not see it change. */
interface View {
  all(rows: readonly Row[]): string | undefined;
  some(rows: readonly Row[]): string | undefined;
  one(id: string, row: Row | null): string | undefined;
  /** Rows and their number are two statements, between which somebody else may write. */
  count(total: number, rows: readonly Row[]): string | undefined;
}

const strict = (ledger: Ledger): View => ({
  all: (rows) => ledger.complaintAboutAll(rows),
  some: (rows) => ledger.complaintAboutSome(rows),
  one: (id, found) => ledger.complaintAboutOne(id, found),
  count: (total, rows) =>
    total === rows.length || ledger.uncertain().length > 0
      ? undefined
      : `totalCount is ${total} for ${rows.length} rows`,
});
const glance = (ledger: Ledger): View => ({
  all: (rows) => ledger.complaintAboutGlance(rows),
  some: (rows) => ledger.complaintAboutGlance(rows),
  one: (_id, found) => ledger.complaintAboutGlance(found ? [found] : []),
  count: () => undefined,
});

/** A read by the tenant, with everything in it checked against the ledger. */
export function read(maker: Maker): Work {
  return anyRead(maker, strict(maker.tenant.ledger));
}

/** A read in the tenant's name while the tenant is at work: no row may come that they never asked for. */
export function readAlongside(maker: Maker): Work {
  return { ...anyRead(maker, glance(maker.tenant.ledger)), kind: 'read alongside' };
}

/** All of the tenant's todos. */
export function list(maker: Maker): Work {
  return allTodos(maker, strict(maker.tenant.ledger));
}

function anyRead(maker: Maker, view: View): Work {
  const make = weighted(maker.random, [
    [5, allTodos],
    [5, byId],
    [3, filter],
    [3, nested],
    [2, currentUser],
    [2, several],
  ]);
  return make(maker, view);
}

function allTodos({ tenant }: Maker, view: View): Work {
  return {
    kind: 'list',
    payload: payload(documents.list),
    check: ({ todos, currentUser: me }) =>
      view.all(todos.nodes) ??
      view.count(todos.totalCount, todos.nodes) ??
      (me?.username === tenant.name ? undefined : 'currentUser is not the one who asks'),
  };
}

function byId({ random, tenant }: Maker, view: View): Work {
  const rowId = anyRowId(random, tenant);
  return {
    kind: 'by id',
    payload: payload(documents.byId, { rowId }),
    check: ({ todo }) =>
      view.one(rowId, todo) ?? (todo && todo.user?.rowId !== tenant.id ? 'the row is not its tenant’s' : undefined),
  };
}

function filter({ tenant, random }: Maker, view: View): Work {
  // A lone surrogate is no text at all: it goes to the database as the replacement character.
  const text = weighted(random, [
    [4, 'tenant'],
    [4, tenant.name],
    [1, '\ud800'],
  ]);
  const nothing = text === '\ud800';
  return {
    kind: nothing ? 'filter by a lone surrogate' : 'filter',
    payload: payload(documents.filter, { text }),
    check: ({ todos: { nodes } }) => (nothing ? (nodes.length > 0 ? 'a row has it' : undefined) : view.all(nodes)),
  };
}

function nested({ tenant }: Maker, view: View): Work {
  return {
    kind: 'nested',
    payload: payload(documents.nested),
    check: ({ lists: { nodes } }) => {
      const ids = nodes.map(({ rowId }: { rowId: string }) => rowId);
      if (ids.toSorted().join() !== tenant.lists.toSorted().join()) return `the lists are ${ids}`;
      return view.some(nodes.flatMap(({ todos }: { todos: { nodes: Row[] } }) => todos.nodes));
    },
  };
}

function currentUser({ tenant }: Maker): Work {
  return {
    kind: 'currentUser',
    payload: payload(documents.currentUser),
    check: ({ currentUser: me }) => (me?.rowId === tenant.id ? undefined : 'it is not the one who asks'),
  };
}

/** Several fields at once share a round trip. */
function several({ random, tenant }: Maker, view: View): Work {
  const [a, b] = [anyRowId(random, tenant), anyRowId(random, tenant)];
  return {
    kind: 'several fields',
    payload: payload(documents.several, { a, b }),
    check: (data) =>
      view.one(a, data.a) ??
      view.one(b, data.b) ??
      (data.me?.rowId === tenant.id ? undefined : 'currentUser is not the one who asks'),
  };
}

/** A row that is there, one that may be, or a list's id, which is no todo. */
function anyRowId(random: Maker['random'], { ledger, lists }: Tenant): string {
  return pick(random, [...ledger.certain().map(({ rowId }) => rowId), ...ledger.uncertain(), ...lists.slice(0, 1)]);
}
