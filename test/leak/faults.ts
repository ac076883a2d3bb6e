import { randomUUID } from 'node:crypto';
import { listName } from './tenant.ts';
import { type Maker, newTitle, payload, type Work } from './work.ts';
import { writing } from './writes.ts';

const troubleDocuments = {
  read: 'query ($kind: String!) { trouble(kind: $kind) }',
  write: `mutation ($kind: String!, $rowId: UUID!, $title: String!) {
    makeTrouble(input: {kind: $kind, rowId: $rowId, title: $title}) { result }
  }`,
};

/** A request of `trouble(kind)` that only reads. */
export function readTrouble({ tenant }: Maker, kind: string, codes?: readonly string[]): Work {
  return {
    kind: `trouble: ${kind}`,
    payload: payload(troubleDocuments.read, { kind }),
    codes,
    check: ({ trouble }) => (trouble?.startsWith(tenant.name) ? undefined : 'it ran as another'),
  };
}

/** A request of `make_trouble(kind)`: where it fails, the row that it has written must be gone. */
export function writeTrouble(maker: Maker, kind: string, codes?: readonly string[]): Work {
  const { tenant, newId } = maker;
  const [rowId, title] = [newId(), newTitle(maker)];
  return {
    kind: `write, then trouble: ${kind}`,
    payload: payload(troubleDocuments.write, { kind, rowId, title }),
    codes,
    check: ({ makeTrouble: { result } }) => (result?.startsWith(tenant.name) ? undefined : 'it ran as another'),
    settle: tenant.ledger.asking(rowId, title),
  };
}

/** By `kind` of trouble, what the client is told. */
const troubles: readonly (readonly [kind: string, code: string])[] = [
  ['40001', 'CONFLICT'], // serialization failure
  ['40P01', 'CONFLICT'], // deadlock
  ['55P03', 'TIMEOUT'], // lock timeout
  ['57014', 'TIMEOUT'], // query cancelled
  ['53300', 'UNAVAILABLE'], // too many connections
  ['P0001', 'INTERNAL'], // raise
  ['HR001', 'INTERNAL'], // a SQLSTATE that nobody knows
  ['division', 'BAD_USER_INPUT'],
  ['utf8', 'BAD_USER_INPUT'],
];

const create = (todo: Record<string, unknown>) => payload(writing.create, { todo });
const bad = ['BAD_USER_INPUT'];

/** What is answered is some megabytes long. */
const oversized = (work: Work): Work => ({ ...work, faultWithData: true });

/** A request that is refused for what it is itself. */
function refused(kind: string, codes: readonly string[], body: (row: FaultyRow) => Buffer): (maker: Maker) => Work {
  return (maker) => {
    const row = { rowId: maker.newId(), title: newTitle(maker), tenant: maker.tenant.name };
    return { kind, codes, payload: body(row) };
  };
}

interface FaultyRow {
  readonly rowId: string;
  readonly title: string;
  readonly tenant: string;
}

/** The same about a row that is there; a read where there is none. */
function refusedOf(kind: string, codes: readonly string[], body: (row: FaultyRow) => Buffer): (maker: Maker) => Work {
  return (maker) => {
    const existing = maker.tenant.ledger.certain()[0];
    return existing
      ? { kind, codes, payload: body({ ...existing, tenant: maker.tenant.name }) }
      : readTrouble(maker, 'none');
  };
}

/** Faults of a single request, which always end the same way, and touch nobody else. */
export const faults: readonly ((maker: Maker) => Work)[] = [
  ...troubles.flatMap(([kind, code]) => [
    (maker: Maker) => readTrouble(maker, kind, [code]),
    (maker: Maker) => writeTrouble(maker, kind, [code]),
  ]),
  refused('check: priority', bad, ({ rowId, title }) => create({ rowId, title, priority: 9 })),
  refused('check: empty title', bad, ({ rowId }) => create({ rowId, title: '' })),
  refusedOf('not null', bad, ({ rowId }) => payload(writing.update, { rowId, patch: { title: null } })),
  refusedOf('unique: id', ['CONFLICT'], ({ rowId, title }) => create({ rowId, title })),
  refused('unique: name', ['CONFLICT'], ({ tenant }) => duplicateList(tenant)),
  refused('foreign key', bad, ({ rowId, title }) => create({ rowId, title, listId: randomUUID() })),
  refused('NUL in text', bad, ({ rowId, title }) => create({ rowId, title: `${title}\0` })),
  refused('smallint out of range', bad, ({ rowId, title }) => create({ rowId, title, priority: 70_000 })),
  refused('no such row', ['NOT_FOUND'], ({ rowId, title }) => payload(writing.update, { rowId, patch: { title } })),
  refused('malformed uuid', bad, () =>
    payload('query ($rowId: UUID!) { todo(rowId: $rowId) { title } }', { rowId: 'x' }),
  ),
  refused('unknown field', bad, () => payload('{ todos { nodes { secret } } }')),
  refused('no GraphQL', bad, () => payload('{ todos {')),
  refused('no JSON', bad, () => Buffer.from('{"query": "{ todos')),
  refused('no type', bad, () => payload('query ($rowId: Todo!) { todo(rowId: $rowId) { title } }')),
  (maker) => oversized(readTrouble(maker, 'large')),
  (maker) => oversized(writeTrouble(maker, 'large')),
  divisionInFilter,
  invalidUtf8,
  partlyFailing,
];

function duplicateList(tenant: string): Buffer {
  return payload('mutation ($name: String!) { createList(input: {list: {name: $name}}) { list { rowId } } }', {
    name: listName(tenant, 0),
  });
}

/** Without a row there is nothing to divide. */
function divisionInFilter(): Work {
  return {
    kind: 'division by zero in a filter',
    payload: payload('{ todos(filter: {inverse: {equalTo: 1}}) { nodes { rowId title } } }'),
    codes: ['INTERNAL'],
    mayWork: true,
    check: ({ todos: { nodes } }) => (nodes.length > 0 ? 'a row was divided by zero' : undefined),
  };
}

/** A byte that is no UTF-8, in the text of a filter. */
function invalidUtf8(): Work {
  const text = 'query ($text: String!) { todos(filter: {title: {includes: $text}}) { nodes { rowId title } } }';
  const [head = '', tail = ''] = JSON.stringify({ query: text, variables: { text: 'HERE' } }).split('HERE');
  return {
    kind: 'invalid UTF-8',
    payload: Buffer.concat([Buffer.from(head), Buffer.of(0xff, 0xc0), Buffer.from(tail)]),
    codes: bad,
    ...{ mayWork: true, faultWithData: true },
    check: ({ todos: { nodes } }) => (nodes.length > 0 ? 'a row has it' : undefined),
  };
}

/** Of the fields of one document one fails, and the others are answered as if it were not there. */
function partlyFailing({ tenant }: Maker): Work {
  return {
    kind: 'one field of several fails',
    payload: payload('{ before: trouble(kind: "none") wrong: trouble(kind: "division") after: trouble(kind: "none") }'),
    codes: bad,
    checkFailed: (data) =>
      data?.before === tenant.name && data.after === tenant.name && data.wrong === null
        ? undefined
        : 'the other fields are not there',
  };
}
