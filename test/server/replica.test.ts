import { setTimeout as sleep } from 'node:timers/promises';
import supertest from 'supertest';
import { type Replication, startReplication } from '../support/replication.ts';
import { graphql, serve, signUp, type Tenant, type TestServer } from '../support/server.ts';
import { systemBin } from '../support/systemPostgres.ts';

// On the system's Postgres where there is one, because pg_basebackup is how replicas are made.
let replication: Replication;
let one: Omit<TestServer, 'db'>;
let other: Omit<TestServer, 'db'>;
let ada: Tenant;

beforeAll(async () => {
  replication = await startReplication(systemBin());
  const connections = { serverUrl: replication.primaryUrl, replicaUrl: replication.replicaUrl };
  [one, other] = await Promise.all([serve(connections), serve(connections)]);
  ada = await signUp(one.app, 'ada');
  await replication.caughtUp();
}, 60_000);
afterAll(async () => {
  await Promise.all([one?.close(), other?.close()]);
  await replication?.remove();
});

const create = (title: string) => `mutation { createTodo(input: {todo: {title: "${title}"}}) { todo { title } } }`;
const read = '{ todos { nodes { title } } }';
const counts = ({ database }: typeof one) => ({ ...database.counts.replica });
const titles = async (server: typeof one) => {
  const { body } = await graphql(server.app, ada.token, read).expect(200);
  return body.data.todos.nodes.map(({ title }: { title: string }) => title).sort();
};

test('queries go to the replica, mutations to the primary', async () => {
  await ada.graphql(create('one')).expect(200);
  await replication.caughtUp();
  const before = counts(one);
  expect(await titles(one)).toEqual(['one']);
  expect(counts(one)).toEqual({ ...before, answered: (before.answered ?? 0) + 1 });
  const { rows } = await replication.onPrimary('select title from app_public.todos');
  expect(rows).toEqual([{ title: 'one' }]);
});

test('while the replica lags, a user reads their own writes, on every instance', async () => {
  await replication.pause();
  const before = counts(other);
  await ada.graphql(create('two')).expect(200);
  expect(await titles(one)).toEqual(['one', 'two']);
  expect(await titles(other)).toEqual(['one', 'two']);
  expect(counts(other)).toEqual({ ...before, behind: (before.behind ?? 0) + 1 });
  await replication.resume();
  await replication.caughtUp();
  const after = counts(other);
  expect(await titles(other)).toEqual(['one', 'two']);
  expect(counts(other)).toEqual({ ...after, answered: (after.answered ?? 0) + 1 });
});

test('while the replica lags, a session that ended is refused at once', async () => {
  const bob = await signUp(one.app, 'bob');
  await replication.caughtUp();
  await replication.pause();
  // They have written nothing since: what lags is not theirs.
  const before = counts(one);
  await bob.graphql(read).expect(200);
  expect(counts(one)).toEqual({ ...before, answered: (before.answered ?? 0) + 1 });
  await replication.onPrimary('update app_private.sessions set revoked_at = now() where user_id = $1', [bob.id]);
  await graphql(other.app, bob.token, read).expect(401);
  await replication.resume();
});

test('while the replica lags, a removed member is refused, and a new role takes effect', async () => {
  const [olga, dan] = [await signUp(one.app, 'olga'), await signUp(one.app, 'dan')];
  const { body } = await supertest(one.app)
    .post('/organizations')
    .auth(olga.token, { type: 'bearer' })
    .send({ name: 'x' });
  await replication.onPrimary(
    `insert into app_public.organization_members (organization_id, user_id, username, role) values ($1, $2, 'dan', 'admin')`,
    [body.id, dan.id],
  );
  await replication.caughtUp();
  await replication.pause();
  const readAs = () => graphql(one.app, dan.token, '{ projects { totalCount } }').set('X-Organization-Id', body.id);
  const before = counts(one);
  await readAs().expect(200);
  await replication.onPrimary("update app_public.organization_members set role = 'viewer' where user_id = $1", [
    dan.id,
  ]);
  await readAs().expect(200);
  expect(counts(one)).toEqual({
    ...before,
    answered: (before.answered ?? 0) + 1,
    behind: (before.behind ?? 0) + 1,
  });
  await replication.onPrimary('delete from app_public.organization_members where user_id = $1', [dan.id]);
  await readAs().expect(403);
  await replication.resume();
});

test('a user who is not on the replica yet is served', async () => {
  await replication.pause();
  const cleo = await signUp(one.app, 'cleo');
  await cleo.graphql(read).expect(200);
  await replication.resume();
});

test('an unavailable replica is skipped, and used again later', async () => {
  await replication.caughtUp();
  await replication.stopReplica();
  const before = counts(one);
  expect(await titles(one)).toEqual(['one', 'two']);
  expect(await titles(one)).toEqual(['one', 'two']);
  expect(counts(one)).toEqual({ ...before, failed: (before.failed ?? 0) + 2 });
  await replication.startReplica();
  await replication.caughtUp();
  const until = performance.now() + 20_000;
  while (counts(one).answered === before.answered && performance.now() < until) {
    expect(await titles(one)).toEqual(['one', 'two']);
    await sleep(50);
  }
  expect(counts(one).answered).toBeGreaterThan(before.answered ?? 0);
}, 60_000);

test('the primary answers for a frozen replica, which cools down until it answers a probe', async () => {
  await replication.caughtUp();
  // Connections to the replica are open, and nothing more comes on them.
  const used = counts(other).answered;
  expect(await titles(other)).toEqual(['one', 'two']);
  expect(counts(other).answered).toBe((used ?? 0) + 1);
  const before = counts(other);
  await replication.freezeReplica();
  const start = performance.now();
  expect(await Promise.all([titles(other), titles(other)])).toEqual([
    ['one', 'two'],
    ['one', 'two'],
  ]);
  // Half the request's deadline, on a machine that does other things too.
  expect(performance.now() - start).toBeLessThan(5000);
  expect(counts(other)).toEqual({ ...before, failed: (before.failed ?? 0) + 2 });
  // Nothing is sent to a replica that rests.
  for (let n = 0; n < 5; n++) expect(await titles(other)).toEqual(['one', 'two']);
  expect(counts(other).failed).toBe((before.failed ?? 0) + 7);
  replication.thawReplica();
  const until = performance.now() + 40_000;
  while (counts(other).answered === before.answered && performance.now() < until) {
    expect(await titles(other)).toEqual(['one', 'two']);
    await sleep(100);
  }
  expect(counts(other).answered).toBeGreaterThan(before.answered ?? 0);
}, 90_000);

test('a slow statement on the replica starts no cooldown', async () => {
  await replication.onPrimary(`create function app_public.dawdle(seconds float) returns int language plpgsql stable
    as $$ begin perform pg_sleep(seconds); return 1; end $$`);
  await replication.onPrimary('grant execute on function app_public.dawdle to hedgerow_tenant');
  const { primaryUrl: serverUrl, replicaUrl } = replication;
  const third = await serve({ serverUrl, replicaUrl });
  await replication.caughtUp();
  const slow = '{ dawdle(seconds: 1.5) }';
  expect((await graphql(third.app, ada.token, slow)).body).toEqual({ data: { dawdle: 1 } });
  expect((await graphql(third.app, ada.token, read)).body.errors).toBeUndefined();
  expect(counts(third)).toEqual({ answered: 2, behind: 0, failed: 0 });
  const { body } = await graphql(third.app, ada.token, '{ dawdle(seconds: 6) }');
  expect(body.errors).toMatchObject([{ extensions: { code: 'TIMEOUT' } }]);
  await third.close();
}, 60_000);
