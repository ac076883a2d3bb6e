import { randomUUID } from 'node:crypto';
import { Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import pino from 'pino';
import { type Replication, startReplication } from '../support/replication.ts';
import { graphql, serve, signUp, type Tenant, type TestServer } from '../support/server.ts';
import { systemBin } from '../support/systemPostgres.ts';

// A synchronous standby that stops receiving: every commit waits for it, and none may be acknowledged.
let replication: Replication;
let server: Omit<TestServer, 'db'>;
let url: string;
let ada: Tenant;
let bob: Tenant;
let written = '';

beforeAll(async () => {
  replication = await startReplication(systemBin());
  const log = pino(
    { level: 'warn' },
    new Writable({
      write: (line, _encoding, done) => {
        written += line;
        done();
      },
    }),
  );
  server = await serve({ serverUrl: replication.primaryUrl }, { requestTimeout: 4, log });
  url = await server.listen();
  ada = await signUp(server.app, 'ada');
  bob = await signUp(server.app, 'bob');
  await replication.synchronous();
}, 120_000);
afterAll(async () => {
  await server?.close();
  await replication?.remove();
});

const document = 'mutation Create($title: String!) { createTodo(input: {todo: {title: $title}}) { todo { title } } }';
const create = (title: string, key?: string) => {
  const request = ada.graphql(document, { title });
  return key === undefined ? request : request.set('Idempotency-Key', key);
};
const outcome = ({ body }: { body: { errors?: { extensions: { code: string } }[] } }) =>
  body.errors?.[0]?.extensions.code ?? 'acknowledged';

/** Sends a mutation, and leaves once its commit waits for the standby. */
async function leaveDuringCommit(title: string, key?: string): Promise<void> {
  const leaving = new AbortController();
  const headers = { Authorization: `Bearer ${ada.token}`, 'Content-Type': 'application/json' };
  const sent = fetch(`${url}/graphql`, {
    method: 'POST',
    headers: key === undefined ? headers : { ...headers, 'Idempotency-Key': key },
    body: JSON.stringify({ query: document, variables: { title } }),
    signal: leaving.signal,
  });
  await Promise.all([expect(sent).rejects.toThrow(), commitsWaiting(1).then(() => leaving.abort())]);
}

/** Waits until at least `count` commits wait for the standby. */
async function commitsWaiting(count: number): Promise<void> {
  const text = `select from pg_stat_activity where wait_event = 'SyncRep' and usename = 'hedgerow_authenticator'`;
  while (((await replication.onPrimary(text)).rowCount ?? 0) < count) await sleep(20);
}

const idle = async () => {
  while (server.database.load().draining > 0) await sleep(20);
};

test.each([
  ['with an Idempotency-Key', () => randomUUID() as string | undefined],
  ['without one', () => undefined],
])(
  'a commit whose client leaves %s is not canceled, and its connection is kept until Postgres answers',
  async (_, newKey) => {
    const [title, key] = [randomUUID(), newKey()];
    const cancelled = server.database.counts.destroyed.cancelled;
    await replication.stopReceiving();
    await leaveDuringCommit(title, key);
    await sleep(300);
    await commitsWaiting(1);
    expect(server.database.load()).toMatchObject({ draining: 1, shares: { write: 1 } });
    replication.goOnReceiving();
    await idle();
    expect(server.database.counts.destroyed.cancelled).toBe(cancelled);
    const { rows } = await replication.onPrimary('select from app_public.todos where title = $1', [title]);
    expect(rows).toHaveLength(1);
  },
  60_000,
);

test('a retry with the same key is not acknowledged before the standby has the row', async () => {
  const key = randomUUID();
  await replication.stopReceiving();
  await leaveDuringCommit('retried', key);
  expect(outcome(await create('retried', key))).toBe('TIMEOUT');
  replication.goOnReceiving();
  await idle();
  expect(outcome(await create('retried', key))).toBe('acknowledged');
  const { rows } = await replication.onPrimary(`select from app_public.todos where title = 'retried'`);
  expect(rows).toHaveLength(1);
}, 60_000);

test('a replayed answer is replicated before it is acknowledged', async () => {
  const key = randomUUID();
  expect(outcome(await create('replayed', key))).toBe('acknowledged');
  await replication.stopReceiving();
  expect(outcome(await create('replayed', key))).toBe('TIMEOUT');
  replication.goOnReceiving();
  await idle();
  expect(outcome(await create('replayed', key))).toBe('acknowledged');
}, 60_000);

test('a commit whose wait an administrator cancels is not acknowledged', async () => {
  await replication.stopReceiving();
  const sent = create('canceled').then(outcome);
  await commitsWaiting(1);
  await replication.onPrimary(`select pg_cancel_backend(pid) from pg_stat_activity where wait_event = 'SyncRep'`);
  expect(await sent).toBe('UNAVAILABLE');
  replication.goOnReceiving();
}, 60_000);

test('waiting commits leave connections for reads, and the log names their wait event', async () => {
  await replication.stopReceiving();
  const stuck = Array.from({ length: 10 }, (_, n) => create(`stuck ${n}`).then(outcome));
  await commitsWaiting(1);
  for (let n = 0; n < 5; n++) {
    const { body } = await bob.graphql('{ todos { totalCount } }').expect(200);
    expect(body.errors).toBeUndefined();
  }
  expect(new Set(await Promise.all(stuck))).toEqual(new Set(['TIMEOUT']));
  while (!written.includes('"waits":{"SyncRep":')) await sleep(50);
  expect(written).toContain('"cause":"commit not answered"');
  replication.goOnReceiving();
  await idle();
}, 60_000);

test('closing the connections does not wait for an abandoned commit', async () => {
  const other = await serve({ serverUrl: replication.primaryUrl }, { requestTimeout: 1 });
  await replication.stopReceiving();
  const { status } = await ada.graphql('{ currentUser { rowId } }');
  expect(status).toBe(200);
  expect(outcome(await graphql(other.app, ada.token, document, { title: 'left behind' }))).toBe('TIMEOUT');
  expect(other.database.load().draining).toBe(1);
  await other.close();
  expect(other.database.counts.destroyed.unanswered).toBe(1);
  replication.goOnReceiving();
}, 60_000);

test('after a failover the standby has every row that was acknowledged', async () => {
  const key = randomUUID();
  await replication.stopReceiving();
  await leaveDuringCommit('kept', key);
  replication.goOnReceiving();
  await idle();
  expect(outcome(await create('kept', key))).toBe('acknowledged');
  expect(outcome(await create('last'))).toBe('acknowledged');
  await replication.failOver();
  const { rows } = await replication.onReplica(
    `select title from app_public.todos where title in ('kept', 'last') order by 1`,
  );
  expect(rows).toEqual([{ title: 'kept' }, { title: 'last' }]);
}, 60_000);
