import type { ExpectedRows, Row } from './expectedRows.ts';
import { pick, weighted } from './random.ts';
import type { Tenant } from './tenant.ts';
import { payload, type RequestInputs, type TestRequest } from './testRequest.ts';

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

/**
 * Comparisons of rows with the expected ones. They are exact in the tenant's own worker, and loose in concurrent reads.
 */
interface RowChecks {
  all(rows: readonly Row[]): string | undefined;
  some(rows: readonly Row[]): string | undefined;
  one(id: string, row: Row | null): string | undefined;
  /** Compares totalCount with the rows. They are two statements, and another request may write between them. */
  count(total: number, rows: readonly Row[]): string | undefined;
}

const exactView = (expected: ExpectedRows): RowChecks => ({
  all: (rows) => expected.checkAll(rows),
  some: (rows) => expected.checkSome(rows),
  one: (id, found) => expected.checkOne(id, found),
  count: (total, rows) =>
    total === rows.length || expected.uncertainIds().length > 0
      ? undefined
      : `totalCount is ${total} for ${rows.length} rows`,
});
const concurrentView = (expected: ExpectedRows): RowChecks => ({
  all: (rows) => expected.checkConcurrent(rows),
  some: (rows) => expected.checkConcurrent(rows),
  one: (_id, found) => expected.checkConcurrent(found ? [found] : []),
  count: () => undefined,
});

/** Builds a read by the tenant, compared exactly with the expected rows. */
export function read(inputs: RequestInputs): TestRequest {
  return anyRead(inputs, exactView(inputs.tenant.expected));
}

/** Builds a read that runs while the tenant's own requests run. It must not show a row that the tenant never wrote. */
export function concurrentRead(inputs: RequestInputs): TestRequest {
  return { ...anyRead(inputs, concurrentView(inputs.tenant.expected)), kind: 'concurrent read' };
}

/** Builds a read of all todos of the tenant. */
export function list(inputs: RequestInputs): TestRequest {
  return allTodos(inputs, exactView(inputs.tenant.expected));
}

function anyRead(inputs: RequestInputs, view: RowChecks): TestRequest {
  const make = weighted(inputs.random, [
    [5, allTodos],
    [5, byId],
    [3, filter],
    [3, nested],
    [2, currentUser],
    [2, several],
  ]);
  return make(inputs, view);
}

function allTodos({ tenant }: RequestInputs, view: RowChecks): TestRequest {
  return {
    kind: 'list',
    payload: payload(documents.list),
    check: ({ todos, currentUser: me }) =>
      view.all(todos.nodes) ??
      view.count(todos.totalCount, todos.nodes) ??
      (me?.username === tenant.name ? undefined : 'currentUser is another tenant'),
  };
}

function byId({ random, tenant }: RequestInputs, view: RowChecks): TestRequest {
  const rowId = anyRowId(random, tenant);
  return {
    kind: 'by id',
    payload: payload(documents.byId, { rowId }),
    check: ({ todo }) =>
      view.one(rowId, todo) ??
      (todo && todo.user?.rowId !== tenant.id ? 'the row belongs to another tenant' : undefined),
  };
}

function filter({ tenant, random }: RequestInputs, view: RowChecks): TestRequest {
  // A lone surrogate is not valid text. The database receives the replacement character.
  const text = weighted(random, [
    [4, 'tenant'],
    [4, tenant.name],
    [1, '\ud800'],
  ]);
  const nothing = text === '\ud800';
  return {
    kind: nothing ? 'filter by a lone surrogate' : 'filter',
    payload: payload(documents.filter, { text }),
    check: ({ todos: { nodes } }) =>
      nothing ? (nodes.length > 0 ? 'a row matched a lone surrogate' : undefined) : view.all(nodes),
  };
}

function nested({ tenant }: RequestInputs, view: RowChecks): TestRequest {
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

function currentUser({ tenant }: RequestInputs): TestRequest {
  return {
    kind: 'currentUser',
    payload: payload(documents.currentUser),
    check: ({ currentUser: me }) => (me?.rowId === tenant.id ? undefined : 'currentUser is another tenant'),
  };
}

/** Builds a query with several fields, which share a round trip. */
function several({ random, tenant }: RequestInputs, view: RowChecks): TestRequest {
  const [a, b] = [anyRowId(random, tenant), anyRowId(random, tenant)];
  return {
    kind: 'several fields',
    payload: payload(documents.several, { a, b }),
    check: (data) =>
      view.one(a, data.a) ??
      view.one(b, data.b) ??
      (data.me?.rowId === tenant.id ? undefined : 'currentUser is another tenant'),
  };
}

/** Picks the id of a certain row, of an uncertain row, or of a list, which is not a todo. */
function anyRowId(random: RequestInputs['random'], { expected, lists }: Tenant): string {
  return pick(random, [
    ...expected.certainRows().map(({ rowId }) => rowId),
    ...expected.uncertainIds(),
    ...lists.slice(0, 1),
  ]);
}
