import { randomUUID } from 'node:crypto';
import { type ExternalToken, Identity } from '../../server/tenancy/identity.ts';
import { type Database, IdentityRefusedError } from '../../server/tenancy/tenantDatabase.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { openConnections } from '../support/openDatabase.ts';
import { clean, connectionState, createAccount, insertTodo, todoTitles } from '../support/sql.ts';

let db: TestDatabase;
let database: Database;
let ada: string;
const token: ExternalToken = { issuer: 'https://issuer.example/', subject: 'ada', issuedAt: Date.now() / 1000 };

beforeAll(async () => {
  db = await createTestDatabase();
  database = openConnections(db);
  ada = (await createAccount(db, 'ada')).id;
  const link = 'insert into app_private.external_identities (issuer, subject, user_id) values ($1, $2, $3)';
  await db.asAdmin(link, [token.issuer, token.subject, ada]);
  await db.asAdmin(link, [token.issuer, 'bob', (await createAccount(db, 'bob')).id]);
});
afterEach(() => db.asAdmin('delete from app_public.todos'));
afterAll(async () => {
  await database.close();
  await db.drop();
});

const identities = [Identity.externalTenant, Identity.externalAccount];
const whoAmI = { text: 'select current_user as role, app_public.current_user_id() as id' };

test('a token of another issuer makes a tenant, or sign-in for that account', async () => {
  await database.as(Identity.externalTenant(ada, token)).query(insertTodo('mine'));
  expect(await todoTitles(db)).toEqual(['mine']);
  const roles = await Promise.all(identities.map((make) => database.as(make(ada, token)).query(whoAmI)));
  expect(roles.map(({ rows }) => rows)).toEqual([
    [{ role: 'hedgerow_tenant', id: ada }],
    [{ role: 'hedgerow_auth', id: ada }],
  ]);
  expect(await connectionState(database)).toEqual(clean);
});

const wrong: [string, Partial<ExternalToken> & { userId?: string }][] = [
  ['another issuer', { issuer: 'https://issuer.example' }],
  ['no issuer', { issuer: '' }],
  ["another user's subject", { subject: 'bob' }],
  ['the subject in capitals', { subject: 'ADA' }],
  ['an unknown subject', { subject: `' or true --` }],
  ['another user', { userId: randomUUID() }],
  ['a time before all times', { issuedAt: Number.NEGATIVE_INFINITY }],
];

test.each(wrong)('with %s nothing runs', async (_, { userId = ada, ...change }) => {
  for (const make of identities) {
    const client = database.as(make(userId, { ...token, ...change }));
    await expect(client.query(insertTodo())).rejects.toThrow(IdentityRefusedError);
    await expect(client.transaction(({ query }) => query(insertTodo()))).rejects.toThrow(IdentityRefusedError);
  }
  expect(await todoTitles(db)).toEqual([]);
  expect(await connectionState(database)).toEqual(clean);
});

test.each([undefined, null, 'garbage', Number.NaN, {}, 'a\0b'])(
  'with %p for a part of it nothing runs',
  async (value) => {
    for (const make of identities) {
      for (const change of [{ issuer: value }, { subject: value }, { issuedAt: value }]) {
        const client = database.as(make(ada, { ...token, ...change } as ExternalToken));
        await expect(client.query(insertTodo())).rejects.toThrow();
      }
      await expect(database.as(make(value as string, token)).query(insertTodo())).rejects.toThrow();
    }
    expect(await todoTitles(db)).toEqual([]);
  },
);

test('a session is no such token, and such a token no session', async () => {
  const { id, sessionId } = await createAccount(db, 'carol');
  const asToken = { issuer: sessionId, subject: sessionId, issuedAt: token.issuedAt };
  await expect(database.as(Identity.externalTenant(id, asToken)).query(whoAmI)).rejects.toThrow(IdentityRefusedError);
  await expect(database.as(Identity.tenant(ada, token.subject)).query(whoAmI)).rejects.toThrow();
});

const endings: [string, string][] = [
  ['it is not valid any more', 'update app_private.external_identities set not_before = now() where user_id = $1'],
  ['the user is not active', 'update app_private.credentials set is_active = false where user_id = $1'],
  ['the user is deleted', 'delete from app_public.users where id = $1'],
];

test.each(endings)('once %s, nothing runs', async (_, ending) => {
  const { id } = await createAccount(db, `gone-${randomUUID().slice(0, 8)}`);
  const subject = randomUUID();
  await db.asAdmin('insert into app_private.external_identities (issuer, subject, user_id) values ($1, $2, $3)', [
    ...[token.issuer, subject, id],
  ]);
  const clients = identities.map((make) => database.as(make(id, { ...token, subject })));
  for (const client of clients) await client.query(whoAmI);
  await db.asAdmin(ending, [id]);
  for (const client of clients) await expect(client.query(whoAmI)).rejects.toThrow(IdentityRefusedError);
});
