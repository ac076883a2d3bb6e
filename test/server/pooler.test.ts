import { Writable } from 'node:stream';
import pino from 'pino';
import type { Response } from 'supertest';
import { Identity } from '../../server/tenancy/identity.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { openConnections } from '../support/openDatabase.ts';
import { hasPgBouncer, type PgBouncer, startPgBouncer } from '../support/pgbouncer.ts';
import { requestTo } from '../support/requestTo.ts';
import { graphql, serve, signUp, type Tenant } from '../support/server.ts';
import { createAccount } from '../support/sql.ts';

// PgBouncer before 1.21, or without max_prepared_statements, does not keep a client's prepared statements for it: Debian 12 has
// 1.18. Skipped where it is not installed.
const ifInstalled = hasPgBouncer() && process.env.TEST_POOLER === undefined ? describe : describe.skip;

ifInstalled('through the PgBouncer of the system', () => {
  let db: TestDatabase;
  let pooler: PgBouncer;
  let lines: { msg: string; cause?: string; advice?: string }[] = [];
  const log = pino(
    { level: 'warn' },
    new Writable({
      write: (line, _encoding, done) => {
        lines.push(JSON.parse(line));
        done();
      },
    }),
  );
  const causes = () => lines.flatMap(({ cause }) => cause ?? []);
  const switchedOff = () => lines.filter(({ msg }) => msg.startsWith('prepared statements are switched off'));

  beforeAll(async () => {
    db = await createTestDatabase();
  });
  beforeEach(() => {
    lines = [];
  });
  afterEach(() => pooler.stop());
  afterAll(() => db.drop());

  test('in transaction mode prepared statements are switched off, and no request fails, nor after a restart', async () => {
    pooler = await startPgBouncer(db.serverUrl, 'transaction', 120);
    for (const name of ['first', 'restarted']) {
      lines = [];
      const server = await serve({ serverUrl: pooler.url, listenUrl: db.listenUrl }, { poolSize: 10, log });
      const users = await Promise.all([1, 2, 3].map((n) => signUp(server.app, `${name}${n}`)));
      const send = (user: Tenant, n: number) => {
        if (n % 4 === 0) return user.graphql('mutation { createTodo(input: {todo: {title: "a"}}) { todo { title } } }');
        if (n % 4 === 1) return user.graphql('{ currentUser { username } lists { totalCount } }');
        if (n % 4 === 2) return requestTo(server.app).get('/auth/me').set('Authorization', `Bearer ${user.token}`);
        return graphql(server.app, user.token, '{ todos { nodes { title } } }');
      };
      const answers: Response[] = [];
      // 12 at a time, so that connections change hands in the pooler and nobody is refused for sending too many.
      await Promise.all(
        Array.from({ length: 12 }, async (_, worker) => {
          for (let n = 0; n < 10; n++) answers.push(await send(users[worker % 3] as Tenant, worker + n));
        }),
      );
      expect(answers).toHaveLength(120);
      const failed = answers.filter(({ status, body }) => status !== 200 || body.errors);
      expect({ failed: failed.map(({ text }) => text), causes: causes() }).toEqual({ failed: [], causes: [] });
      expect(switchedOff()).toEqual([expect.objectContaining({ advice: expect.stringContaining('1.21') })]);
      await server.close();
    }
  }, 120_000);

  test('its own errors are logged with their cause', async () => {
    pooler = await startPgBouncer(db.serverUrl, 'transaction', 1);
    const busy = openConnections({ serverUrl: pooler.url, preparedStatements: false }, { size: 5 }, log);
    const { id, sessionId } = await createAccount(db, 'waits');
    // Three server connections; the fourth and fifth client wait for longer than the pooler lets them.
    const attempts = Array.from({ length: 5 }, () =>
      busy.as(Identity.account(id, sessionId), { readOnly: true }).query({ text: 'select pg_sleep(4)' }),
    );
    const outcomes = await Promise.allSettled(attempts);
    expect(outcomes.filter(({ status }) => status === 'rejected').length).toBeGreaterThan(0);
    expect(causes()).toContain('pooler has no connection');
    await busy.close();
    await pooler.stop();
    lines = [];
    const nowhere = new URL(db.serverUrl);
    nowhere.port = '1';
    pooler = await startPgBouncer(nowhere.href, 'transaction', 1);
    const away = openConnections({ serverUrl: pooler.url, preparedStatements: false }, {}, log);
    await expect(
      away.as(Identity.account(id, sessionId), { readOnly: true }).query({ text: 'select 1' }),
    ).rejects.toThrow();
    expect(causes()[0]).toMatch(/^pooler (has no connection|cannot log in)$/);
    await away.close();
  }, 120_000);

  test('in session mode prepared statements stay on', async () => {
    pooler = await startPgBouncer(db.serverUrl, 'session');
    const server = await serve({ serverUrl: pooler.url, listenUrl: db.listenUrl }, { poolSize: 1, log });
    const user = await signUp(server.app, 'keeps');
    const text = `select from pg_prepared_statements where name = 'hedgerow_role'`;
    expect((await server.database.inspect({ text })).rowCount).toBe(1);
    expect((await user.graphql('{ currentUser { username } }')).body.errors).toBeUndefined();
    expect(switchedOff()).toEqual([]);
    await server.close();
  }, 120_000);
});
