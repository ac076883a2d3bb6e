import { randomUUID } from 'node:crypto';
import { listName } from './tenant.ts';
import { newTitle, payload, type RequestInputs, type TestRequest } from './testRequest.ts';
import { writing } from './writes.ts';

const documents = {
  read: 'query ($kind: String!) { trouble(kind: $kind) }',
  write: `mutation ($kind: String!, $rowId: UUID!, $title: String!) {
    makeTrouble(input: {kind: $kind, rowId: $rowId, title: $title}) { result }
  }`,
};

/** Builds a query that calls the fault function `trouble(kind)`. */
export function readWithFault({ tenant }: RequestInputs, kind: string, codes?: readonly string[]): TestRequest {
  return {
    kind: `trouble: ${kind}`,
    payload: payload(documents.read, { kind }),
    codes,
    check: ({ trouble }) => (trouble?.startsWith(tenant.name) ? undefined : 'it ran as another tenant'),
  };
}

/** Builds a mutation that calls `make_trouble(kind)`. If it fails, its row must not exist. */
export function writeWithFault(inputs: RequestInputs, kind: string, codes?: readonly string[]): TestRequest {
  const { tenant, newId } = inputs;
  const [rowId, title] = [newId(), newTitle(inputs)];
  return {
    kind: `write, then trouble: ${kind}`,
    payload: payload(documents.write, { kind, rowId, title }),
    codes,
    check: ({ makeTrouble: { result } }) => (result?.startsWith(tenant.name) ? undefined : 'it ran as another tenant'),
    settle: tenant.expected.expectChange(rowId, title),
  };
}

/** Error code that the client must get for each `kind` of fault. */
const raisedErrors: readonly (readonly [kind: string, code: string])[] = [
  ['40001', 'CONFLICT'], // serialization failure
  ['40P01', 'CONFLICT'], // deadlock
  ['55P03', 'TIMEOUT'], // lock timeout
  ['57014', 'TIMEOUT'], // query canceled
  ['53300', 'UNAVAILABLE'], // too many connections
  ['P0001', 'INTERNAL'], // raise
  ['HR001', 'INTERNAL'], // an unknown SQLSTATE
  ['division', 'BAD_USER_INPUT'],
  ['utf8', 'BAD_USER_INPUT'],
];

const create = (todo: Record<string, unknown>) => payload(writing.create, { todo });
const badInput = ['BAD_USER_INPUT'];

/** Marks a request whose answer of some megabytes is itself the fault. */
const withLargeAnswer = (request: TestRequest): TestRequest => ({ ...request, faultWithData: true });

/** Builds a request that the server must refuse because of its content. */
function refusedRequest(
  kind: string,
  codes: readonly string[],
  body: (row: FaultyRow) => Buffer,
): (inputs: RequestInputs) => TestRequest {
  return (inputs) => {
    const row = { rowId: inputs.newId(), title: newTitle(inputs), tenant: inputs.tenant.name };
    return { kind, codes, payload: body(row) };
  };
}

interface FaultyRow {
  readonly rowId: string;
  readonly title: string;
  readonly tenant: string;
}

/** Builds the same for an existing row; a plain read if the tenant has no row. */
function refusedForExistingRow(
  kind: string,
  codes: readonly string[],
  body: (row: FaultyRow) => Buffer,
): (inputs: RequestInputs) => TestRequest {
  return (inputs) => {
    const existing = inputs.tenant.expected.certainRows()[0];
    return existing
      ? { kind, codes, payload: body({ ...existing, tenant: inputs.tenant.name }) }
      : readWithFault(inputs, 'none');
  };
}

/** Faults of single requests. Each has a fixed outcome and does not affect other requests. */
export const faults: readonly ((inputs: RequestInputs) => TestRequest)[] = [
  ...raisedErrors.flatMap(([kind, code]) => [
    (inputs: RequestInputs) => readWithFault(inputs, kind, [code]),
    (inputs: RequestInputs) => writeWithFault(inputs, kind, [code]),
  ]),
  refusedRequest('check: priority', badInput, ({ rowId, title }) => create({ rowId, title, priority: 9 })),
  refusedRequest('check: empty title', badInput, ({ rowId }) => create({ rowId, title: '' })),
  refusedForExistingRow('not null', badInput, ({ rowId }) =>
    payload(writing.update, { rowId, patch: { title: null } }),
  ),
  refusedForExistingRow('unique: id', ['CONFLICT'], ({ rowId, title }) => create({ rowId, title })),
  refusedRequest('unique: name', ['CONFLICT'], ({ tenant }) => duplicateList(tenant)),
  refusedRequest('foreign key', badInput, ({ rowId, title }) => create({ rowId, title, listId: randomUUID() })),
  refusedRequest('NUL in text', badInput, ({ rowId, title }) => create({ rowId, title: `${title}\0` })),
  refusedRequest('smallint out of range', badInput, ({ rowId, title }) => create({ rowId, title, priority: 70_000 })),
  refusedRequest('no such row', ['NOT_FOUND'], ({ rowId, title }) =>
    payload(writing.update, { rowId, patch: { title } }),
  ),
  refusedRequest('malformed uuid', badInput, () =>
    payload('query ($rowId: UUID!) { todo(rowId: $rowId) { title } }', { rowId: 'x' }),
  ),
  refusedRequest('unknown field', badInput, () => payload('{ todos { nodes { secret } } }')),
  refusedRequest('no GraphQL', badInput, () => payload('{ todos {')),
  refusedRequest('no JSON', badInput, () => Buffer.from('{"query": "{ todos')),
  refusedRequest('no type', badInput, () => payload('query ($rowId: Todo!) { todo(rowId: $rowId) { title } }')),
  (inputs) => withLargeAnswer(readWithFault(inputs, 'large')),
  (inputs) => withLargeAnswer(writeWithFault(inputs, 'large')),
  divisionInFilter,
  invalidUtf8,
  partlyFailing,
];

function duplicateList(tenant: string): Buffer {
  return payload('mutation ($name: String!) { createList(input: {list: {name: $name}}) { list { rowId } } }', {
    name: listName(tenant, 0),
  });
}

/** Divides by zero in a filter. The request succeeds if the tenant has no rows. */
function divisionInFilter(): TestRequest {
  return {
    kind: 'division by zero in a filter',
    payload: payload('{ todos(filter: {inverse: {equalTo: 1}}) { nodes { rowId title } } }'),
    codes: ['INTERNAL'],
    maySucceed: true,
    check: ({ todos: { nodes } }) => (nodes.length > 0 ? 'a row was divided by zero' : undefined),
  };
}

/** Sends a byte that is not valid UTF-8 in the text of a filter. */
function invalidUtf8(): TestRequest {
  const text = 'query ($text: String!) { todos(filter: {title: {includes: $text}}) { nodes { rowId title } } }';
  const [head = '', tail = ''] = JSON.stringify({ query: text, variables: { text: 'HERE' } }).split('HERE');
  return {
    kind: 'invalid UTF-8',
    payload: Buffer.concat([Buffer.from(head), Buffer.of(0xff, 0xc0), Buffer.from(tail)]),
    codes: badInput,
    maySucceed: true,
    faultWithData: true,
    check: ({ todos: { nodes } }) => (nodes.length > 0 ? 'a row matched invalid text' : undefined),
  };
}

/** Sends a document in which one field fails. The other fields must have their values. */
function partlyFailing({ tenant }: RequestInputs): TestRequest {
  return {
    kind: 'one field of several fails',
    payload: payload('{ before: trouble(kind: "none") wrong: trouble(kind: "division") after: trouble(kind: "none") }'),
    codes: badInput,
    checkFailed: (data) =>
      data?.before === tenant.name && data.after === tenant.name && data.wrong === null
        ? undefined
        : 'the other fields are missing',
  };
}
