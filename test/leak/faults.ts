import { randomUUID } from 'node:crypto';
import { pick } from './random.ts';
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

/** A fault of a single request, which always ends the same way, and touches nobody else. */
export function fault(maker: Maker): Work {
  const { random, tenant } = maker;
  const [rowId, title] = [maker.newId(), newTitle(maker)];
  const existing = tenant.ledger.certain()[0]?.rowId;
  const work = (kind: string, codes: readonly string[], body: Buffer): Work => ({ kind, codes, payload: body });
  return pick<() => Work>(random, [
    ...troubles.flatMap(([kind, code]) => [
      () => readTrouble(maker, kind, [code]),
      () => writeTrouble(maker, kind, [code]),
    ]),
    () => readTrouble(maker, 'large'),
    () => writeTrouble(maker, 'large'),
    () => work('check: priority', bad, create({ rowId, title, priority: 9 })),
    () => work('check: empty title', bad, create({ rowId, title: '' })),
    () =>
      existing
        ? work('not null', bad, payload(writing.update, { rowId: existing, patch: { title: null } }))
        : readTrouble(maker, 'none'),
    () =>
      existing ? work('unique: id', ['CONFLICT'], create({ rowId: existing, title })) : readTrouble(maker, 'none'),
    () => work('unique: name', ['CONFLICT'], duplicateList(tenant.name)),
    () => work('foreign key', bad, create({ rowId, title, listId: randomUUID() })),
    () => work('NUL in text', bad, create({ rowId, title: `${title}\0` })),
    () => work('smallint out of range', bad, create({ rowId, title, priority: 70_000 })),
    () => work('no such row', ['NOT_FOUND'], payload(writing.update, { rowId, patch: { title } })),
    () =>
      work('malformed uuid', bad, payload('query ($rowId: UUID!) { todo(rowId: $rowId) { title } }', { rowId: 'x' })),
    () => work('unknown field', bad, payload('{ todos { nodes { secret } } }')),
    () => work('no GraphQL', bad, payload('{ todos {')),
    () => work('no JSON', bad, Buffer.from('{"query": "{ todos')),
    () => work('no type', bad, payload('query ($rowId: Todo!) { todo(rowId: $rowId) { title } }')),
    () => divisionInFilter(),
    () => invalidUtf8(),
    () => partlyFailing(maker),
  ])();
}

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
    codes: bad,
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
    mayWork: true,
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
