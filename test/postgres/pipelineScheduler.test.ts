import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { Batch } from '../../postgres/batch.ts';
import { Cancellation, CancelledError } from '../../postgres/cancellation.ts';
import { connectionFault } from '../../postgres/connectionErrors.ts';
import { destroyStream, streamOf } from '../../postgres/internals/nodePostgres.ts';
import { sendPipelined } from '../../postgres/sendPipelined.ts';
import type { Statement } from '../../postgres/statement.ts';
import { withClient } from '../../postgres/withClient.ts';
import { Identity } from '../../server/tenancy/identity.ts';
import type { Database } from '../../server/tenancy/tenantDatabase.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { openConnections } from '../support/openDatabase.ts';
import { clean, connectionState, createAccount, insertTodo, todoTitles } from '../support/sql.ts';

let db: TestDatabase;
const ids: Record<string, string> = {};
const identities: Record<string, Identity> = {};
beforeAll(async () => {
  db = await createTestDatabase();
  for (const name of ['ada', 'bob', 'carol']) {
    const { id, sessionId } = await createAccount(db, name);
    ids[name] = id;
    identities[name] = Identity.tenant(id, sessionId);
  }
});
afterEach(() => db.asAdmin('delete from app_public.todos'));
afterAll(() => db.drop());

const as = (name: string) => identities[name] as Identity;
const who: Statement = { name: 'who', text: `select current_user as role, app_public.current_user_id() as id` };
const answer = (name: string) => [{ role: 'hedgerow_tenant', id: ids[name] }];

/** Keeps a connection of the pool busy until the function that it returns is called. */
async function occupy(database: Database): Promise<() => Promise<void>> {
  const holder = new pg.Client({ connectionString: db.adminUrl });
  await holder.connect();
  await holder.query('select pg_advisory_lock(1)');
  const busy = database.inspect({ text: 'select pg_advisory_xact_lock(1)' });
  return async () => {
    await holder.end();
    await busy;
  };
}

/** Sends transactions to one connection together. @returns the rows of each transaction's last statement, or its error. */
async function together(client: pg.Client, ...transactions: readonly (readonly Statement[])[]) {
  const batches = transactions.map((statements) => new Batch(statements, true));
  const taken = sendPipelined(client, batches);
  return Promise.all(
    batches.slice(0, taken).map(({ done }) =>
      done.then(
        (results) => results.at(-1)?.rows,
        (error: unknown) => error,
      ),
    ),
  );
}

/** On a connection as the server has it, where `who` and the identity were prepared. */
async function prepared<T>(work: (client: pg.Client, writes: () => number) => Promise<T>): Promise<T> {
  const client = new pg.Client(db.serverUrl);
  client.on('error', () => {});
  await client.connect();
  try {
    await together(client, [as('ada').statement, who]);
    const stream = streamOf(client) as unknown as { write(...args: unknown[]): boolean };
    const write = stream.write.bind(stream);
    let count = 0;
    stream.write = (...args) => {
      count++;
      return write(...args);
    };
    return await work(client, () => count);
  } finally {
    await client.end();
  }
}

test('each transaction of one write has its own identity, Sync and answer', () =>
  prepared(async (client, writes) => {
    const failing: Statement = { text: 'select 1 / 0' };
    const gone = Identity.tenant(ids.bob as string, '00000000-0000-4000-8000-000000000000');
    const answers = await together(
      client,
      [as('ada').statement, who],
      [as('ada').statement, insertTodo('undone'), failing],
      [as('bob').statement, who],
      [gone.statement, who],
      [as('bob').statement, insertTodo('done')],
      [as('carol').statement, who],
    );
    expect(answers).toMatchObject([
      answer('ada'),
      { code: '22012' },
      answer('bob'),
      { code: 'HR401' },
      [],
      answer('carol'),
    ]);
    expect(writes()).toBe(1);
    expect(await todoTitles(db)).toEqual(['done']);
  }));

test('a batch with unprepared statements is the last of a write, and a batch that cannot be encoded is left out', () =>
  prepared(async (client, writes) => {
    const circular: Record<string, unknown> = {};
    circular.circular = circular;
    const answers = await together(
      client,
      [as('ada').statement, { text: 'select $1::json', values: [circular] }],
      [as('bob').statement, who],
      [as('bob').statement, { name: 'new', text: 'select 1 / 0' }],
      [as('carol').statement, who],
    );
    expect(answers).toEqual([
      expect.objectContaining({ message: expect.stringContaining('circular') }),
      answer('bob'),
      expect.objectContaining({ code: '22012' }),
    ]);
    expect(writes()).toBe(1);
  }));

test('no batch is answered after its connection ended, and none runs after an open transaction', async () => {
  const lost = (error: unknown) => connectionFault(error)?.cause;
  await prepared(async (client) => {
    const killed = await together(
      client,
      [as('ada').statement, who],
      [{ text: 'select pg_terminate_backend(pg_backend_pid())' }],
      [as('bob').statement, insertTodo('behind')],
      [as('carol').statement, who],
    );
    expect(killed[0]).toEqual(answer('ada'));
    expect(killed.slice(1).map(lost)).toEqual(['connection lost', 'connection lost', 'connection lost']);
  });
  await prepared(async (client) => {
    const opened = await together(
      client,
      [{ text: 'begin' }],
      [as('bob').statement, insertTodo('behind')],
      [as('carol').statement, who],
    );
    expect(opened.slice(1).map(lost)).toEqual(['connection lost', 'connection lost']);
    destroyStream(client);
  });
  expect(await todoTitles(db)).toEqual([]);
});

test('an error fails only its own transaction, in any language of the server', () =>
  prepared(async (client) => {
    const stream = streamOf(client) as unknown as NodeJS.EventEmitter;
    const emit = stream.emit.bind(stream);
    const inCzech = (data: Buffer) => Buffer.from(data.toString('latin1').replaceAll('SERROR\0', 'SCHYBA\0'), 'latin1');
    stream.emit = (event, ...args) => emit(event, ...(event === 'data' ? [inCzech(args[0])] : args));
    const answers = await together(
      client,
      [as('ada').statement, { text: 'select 1 / 0' }],
      [as('bob').statement, insertTodo('behind')],
      [as('carol').statement, who],
    );
    expect(answers).toMatchObject([{ code: '22012', severity: 'CHYBA' }, [], answer('carol')]);
    expect(await todoTitles(db)).toEqual(['behind']);
  }));

test('an answer with another identity closes the connection and reaches no request', async () => {
  for (const said of [
    `select 'hedgerow_tenant', '${ids.bob}'`,
    'select',
    `select 1, null`,
    'select 1, 2 where false',
    `select 1, '${ids.ada}' from generate_series(1, 2)`,
  ]) {
    for (const discard of [true, false]) {
      await prepared(async (client) => {
        const mistaken = { text: said, discard, expectedUserId: ids.ada as string };
        const answers = together(client, [as('ada').statement, mistaken, who], [as('bob').statement, who]);
        // So that both are there when the first is read.
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 50);
        const [first, second] = await answers;
        expect(first).toEqual(new Error('an answer has another identity: the connection was closed'));
        expect(connectionFault(second)?.cause).toBe('connection lost');
      });
    }
  }
});

test('COPY closes the connection, and the batches after it fail', async () => {
  await db.asAdmin('create table app_public.copied (); grant insert on app_public.copied to hedgerow_tenant');
  await prepared(async (client) => {
    const copy = { text: 'copy app_public.copied from stdin' };
    const [alone] = await together(client, [as('ada').statement, copy]);
    expect(alone).toEqual(new Error('COPY is not supported here: the connection was closed'));
  });
  await prepared(async (client) => {
    const copy = { text: 'copy app_public.copied from stdin' };
    const [, behind] = await together(client, [as('ada').statement, copy], [as('bob').statement, who]);
    expect(connectionFault(behind)?.cause).toBe('connection lost');
  });
});

test('concurrent requests share a connection, and each gets its own answer', async () => {
  const database = openConnections(db, { preparedStatements: true });
  const names = Array.from({ length: 60 }, (_, index) => ['ada', 'bob', 'carol'][index % 3] as string);
  const answers = await Promise.all(names.map((name) => database.as(as(name), { readOnly: true }).query(who)));
  expect(answers.map(({ rows }) => rows)).toEqual(names.map(answer));
  // The first went alone, to have the identity's statement prepared.
  expect(database.counts).toMatchObject({ waits: 60, pipelined: 59, bypassed: 0, transactions: { committed: 60 } });
  expect(await connectionState(database)).toEqual(clean);
  await database.close();
});

test('a slow pipelined transaction is canceled, runs again alone, and its user bypasses pipelining for a while', async () => {
  const database = openConnections(db, { preparedStatements: true });
  const slow = { text: `insert into app_public.todos (title) select 'slow' from pg_sleep(0.2)` };
  const [, quick] = await Promise.all([
    database.as(as('ada')).query(slow),
    database.as(as('bob')).query(who),
    database.as(as('carol')).query(insertTodo('quick')),
  ]);
  expect(quick.rows).toEqual(answer('bob'));
  expect(await todoTitles(db)).toEqual(['quick', 'slow']);
  expect(database.counts.bypassed).toBe(1);
  await database.as(as('ada')).query(slow);
  expect(database.counts.bypassed).toBe(1);
  // The time limit was the transaction's own.
  const { rows } = await database.inspect<{ limit: string }>({
    text: `select current_setting('statement_timeout') as limit`,
  });
  expect(rows).toEqual([{ limit: '8s' }]);
  await database.close();
});

test('a user whose statement was slow because of others returns to pipelining at once', async () => {
  const database = openConnections(db, { preparedStatements: true });
  await database.as(as('ada')).query(who);
  await withClient(db.ownerUrl, async (owner) => {
    await owner.query('begin; lock table app_public.lists');
    const waits = database.as(as('ada')).query({ text: 'select from app_public.lists' });
    while (database.counts.bypassed === 0) await sleep(5);
    await owner.query('commit');
    await waits;
  });
  // The wait for the lock was long. Short statements end the bypass, and the next ones share a connection.
  const short = () => Promise.all(['ada', 'ada', 'ada'].map((name) => database.as(as(name)).query(who)));
  while (database.counts.pipelined === 0) await short();
  expect(database.counts.bypassed).toBe(1);
  await database.close();
});

test('a user whose statement was slow once does not wait for the connections of slow statements', async () => {
  const database = openConnections(db, { preparedStatements: true, size: 4 });
  const slow = (seconds: number) => ({ text: `select pg_sleep(${seconds})`, discard: true });
  // Bob's statement needs more than 50 and 500 ms, and holds the only connection of its lane.
  const cancellation = new Cancellation();
  const holds = database.as(as('bob'), { cancellation, readOnly: true }).query(slow(60));
  while (database.load().shares.bypass === 0) await sleep(5);
  await database.as(as('ada'), { readOnly: true }).query(slow(0.1));
  expect(database.load().shares.bypass).toBe(1);
  expect(database.counts.shares.bypass.waits).toBe(0);
  cancellation.cancel('client gone');
  await expect(holds).rejects.toThrow(CancelledError);
  await database.close();
});

test('a tenant’s statement in an explicit transaction has 4 s, and so has one in a write that bypasses the pipelines', async () => {
  const database = openConnections(db, { preparedStatements: true, bypassFor: 60 });
  const limit = { text: `select current_setting('statement_timeout') as limit` };
  const ofTransaction = () =>
    database.as(as('ada')).transaction(async ({ query }) => (await query<{ limit: string }>(limit)).rows[0]?.limit);
  expect(await ofTransaction()).toBe('4s');
  await database.as(as('ada')).query({ text: 'select pg_sleep(0.7)' });
  const { rows } = await database.as(as('ada')).query<{ limit: string }>({
    text: `select current_setting('statement_timeout') as limit from pg_sleep(0.1)`,
  });
  expect(rows).toEqual([{ limit: '4s' }]);
  const snapshot = database
    .as(as('ada'), { readOnly: true })
    .transaction(({ query }) => query(limit), { snapshot: true });
  expect((await snapshot).rows).toEqual([{ limit: '8s' }]);
  await database.close();
});

test('many statements of one tick share one time budget, and their user is limited to a share of the connections', async () => {
  const database = openConnections(db, { preparedStatements: true, size: 4, timeout: 60 });
  const burst = () => {
    const client = database.as(as('ada'), { readOnly: true });
    return Promise.all(Array.from({ length: 12 }, () => client.query({ text: 'select pg_sleep(0.05)' })));
  };
  const bursts = Promise.all(Array.from({ length: 4 }, burst));
  while (database.counts.bypassed === 0) {
    expect(database.load().shares.unshared).toBeLessThanOrEqual(1);
    await sleep(5);
  }
  // Together they need 600 ms, with which their user goes on in the lane of slow statements.
  await bursts;
  expect(database.counts.shares.unshared.waits).toBeGreaterThan(0);
  expect(database.counts.shares.bypass.waits).toBeGreaterThan(0);
  await database.close();
});

test('work of no signed-in user has one share of the writes, and a tenant has the rest', async () => {
  const database = openConnections(db, { preparedStatements: true, size: 4 });
  const cancellation = new Cancellation();
  const anonymous = Array.from({ length: 12 }, () =>
    database.as(Identity.signIn, { cancellation }).transaction(({ query }) => query({ text: 'select pg_sleep(60)' })),
  );
  const given = Promise.allSettled(anonymous);
  while (database.load().shares.write < 2) await sleep(5);
  await database.as(as('ada')).transaction(({ query }) => query(insertTodo('not behind them')));
  expect(await todoTitles(db)).toEqual(['not behind them']);
  expect(database.load().shares.write).toBe(2);
  cancellation.cancel('client gone');
  expect((await given).every(({ status }) => status === 'rejected')).toBe(true);
  await database.close();
});

test('a transaction that is canceled while it waits does not run, and one that is canceled while it runs affects no other', async () => {
  const database = openConnections(db, { preparedStatements: true });
  const [waits, runs] = [new Cancellation(), new Cancellation()];
  const release = await occupy(database);
  const given = expect(database.as(as('ada'), { cancellation: waits }).query(insertTodo('given up'))).rejects.toThrow(
    CancelledError,
  );
  const kept = database.as(as('bob')).query(insertTodo('kept'));
  while (database.load().waiting < 2) await sleep(5);
  waits.cancel('client gone');
  await given;
  await release();
  await kept;
  expect(await todoTitles(db)).toEqual(['kept']);

  // Locks that are held elsewhere: the first of a write that two share waits.
  await withClient(db.ownerUrl, async (owner) => {
    await owner.query('begin; lock table app_public.lists');
    const stuck = database.as(as('ada'), { cancellation: runs }).query({ text: 'select from app_public.lists' });
    const behind = database.as(as('bob')).query(who);
    setTimeout(() => runs.cancel('client gone'), 20);
    await expect(stuck).rejects.toThrow(CancelledError);
    expect((await behind).rows).toEqual(answer('bob'));
    await owner.query('rollback');
  });
  await database.close();
});

test('a connection whose last awaited read was canceled is destroyed', async () => {
  const database = openConnections(db, { preparedStatements: true });
  await database.as(as('ada')).query(who);
  const cancellation = new Cancellation();
  const stuck = ['ada', 'bob'].map((name) =>
    database.as(as(name), { cancellation, readOnly: true }).query({ text: 'select pg_sleep(0.04)' }),
  );
  setTimeout(() => cancellation.cancel('deadline'), 10);
  for (const given of stuck) await expect(given).rejects.toThrow(CancelledError);
  expect(database.counts.destroyed.cancelled).toBe(1);
  expect((await database.as(as('carol')).query(who)).rows).toEqual(answer('carol'));
  await database.close();
});

test('a connection whose last awaited write was canceled is kept until Postgres has answered', async () => {
  const database = openConnections(db, { preparedStatements: true });
  await database.as(as('ada')).query(who);
  const { pid } = await connectionState(database);
  const cancellation = new Cancellation();
  const slow = { text: `insert into app_public.todos (title) select 'kept' from pg_sleep(0.03)` };
  const stuck = ['ada', 'bob'].map((name) => database.as(as(name), { cancellation }).query(slow));
  setTimeout(() => cancellation.cancel('deadline'), 10);
  for (const given of stuck) await expect(given).rejects.toThrow(CancelledError);
  expect(database.load().draining).toBeLessThanOrEqual(1);
  expect((await connectionState(database)).pid).toBe(pid);
  expect(database.load()).toMatchObject({ draining: 0, shares: { write: 0 } });
  expect(database.counts.destroyed).toMatchObject({ cancelled: 0, busy: 0, unanswered: 0 });
  await database.close();
});

test('a failed checkout rejects the requests queued before it, and later requests retry', async () => {
  const database = openConnections(db, { preparedStatements: true, timeout: 2 });
  const release = await occupy(database);
  const exhausted = ['ada', 'bob'].map((name) => database.as(as(name)).query(who));
  await sleep(1500);
  const later = database.as(as('carol')).query(who);
  for (const attempt of exhausted) {
    const error = await attempt.catch((reason: unknown) => reason);
    expect(connectionFault(error)?.cause).toBe('pool exhausted');
  }
  await release();
  expect((await later).rows).toEqual(answer('carol'));
  expect(database.load().waiting).toBe(0);
  await database.close();
});

test('a pipelined transaction has its place in the queue of requests for an exclusive connection', async () => {
  const database = openConnections(db, { preparedStatements: true });
  await database.as(as('ada')).query(who);
  const order: string[] = [];
  const release = await occupy(database);
  const shared = Array.from({ length: 8 }, async () => {
    await database.as(as('ada')).query(who);
    order.push('shared');
  });
  while (database.load().waiting < shared.length) await sleep(5);
  const alone = Array.from({ length: 3 }, async () => {
    await database.inspect(who);
    order.push('alone');
  });
  await release();
  await Promise.all([...shared, ...alone]);
  expect(order).toEqual([...shared.map(() => 'shared'), ...alone.map(() => 'alone')]);
  await database.close();
});

test('a request behind too many others fails with the cause "pool exhausted"', async () => {
  const database = openConnections(db, { preparedStatements: true, timeout: 1 });
  const waiting = Array.from({ length: 200 }, () => database.as(as('ada')).query({ text: 'select pg_sleep(0.02)' }));
  const answers = await Promise.allSettled(waiting);
  expect(answers[0]?.status).toBe('fulfilled');
  expect(connectionFault((answers.at(-1) as PromiseRejectedResult).reason)?.cause).toBe('pool exhausted');
  await database.close();
});

test('a meter counts bytes, and not characters', async () => {
  let read = 0;
  const meter = {
    maxAnswerBytes: 1_000_000,
    refusal: () => new Error('too much'),
    add: (bytes: number) => {
      read += bytes;
    },
  };
  await withClient(db.serverUrl, async (client) => {
    await together(client, [
      { text: "select repeat('漢', 1000) as cjk, repeat('🌿', 100) as emoji, 'abc' as ascii", meter },
    ]);
  });
  expect(read).toBe(3403);
});
