import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { killServers, productionEnv, spawnServer } from '../support/process.ts';

// HEAP_ROUNDS=1000 is the promise; without bounds the process has died by far fewer.
const rounds = Number(process.env.HEAP_ROUNDS ?? 110);

let db: TestDatabase;
beforeAll(async () => {
  db = await createTestDatabase();
});
afterEach(killServers);
afterAll(() => db.drop());

const columns = 'id rowId listId title description completed priority dueDate createdAt updatedAt';

/** A valid document of its own, about as large as one may be. */
const largeDocument = (n: number) =>
  `query Q${n} { ${Array.from(
    { length: 14 },
    (_, i) =>
      `a${i}: lists(first: 1) { nodes { todos(first: 1) { nodes { ${columns} } totalCount pageInfo { hasNextPage } } } }`,
  ).join(' ')} }`;

test(
  `half a gigabyte of heap is enough for ${rounds} different large documents and as many large answers`,
  async () => {
    const server = spawnServer({
      ...productionEnv(db),
      NODE_OPTIONS: '--max-old-space-size=512',
      LOG_LEVEL: 'info',
      REQUEST_TIMEOUT: '120',
    });
    const url = await server.url;
    const post = (path: string, body: object, token?: string) =>
      fetch(`${url}${path}`, {
        method: 'POST',
        headers: {
          'Content-Type': 'application/json',
          ...(token !== undefined && { Authorization: `Bearer ${token}` }),
        },
        body: JSON.stringify(body),
      });
    const account = { email: 'ada@example.com', username: 'ada', password: 'a long password of ada' };
    const { accessToken, user } = (await (await post('/auth/register', account)).json()) as {
      accessToken: string;
      user: { id: string };
    };
    await db.asAdmin(
      `insert into app_public.todos (user_id, title, description)
        select $1, 'todo ' || n, repeat('x', 9999) from generate_series(1, 1000) n`,
      [user.id],
    );
    for (let n = 0; n < rounds; n++) {
      const answer = await post('/graphql', { query: largeDocument(n) }, accessToken);
      const { errors } = (await answer.json()) as { errors?: unknown };
      expect([answer.status, errors]).toEqual([200, undefined]);
    }
    // Many rounds take longer than an access token lives.
    let token = accessToken;
    const signIn = async () => {
      const answer = await post('/auth/login', account);
      token = ((await answer.json()) as { accessToken: string }).accessToken;
    };
    const query = '{ todos(first: 1000) { nodes { title description } } }';
    for (let n = 0; n < rounds; n += 4) {
      if (n % 100 === 0) await signIn();
      const answers = await Promise.all(
        Array.from({ length: 4 }, async () => {
          const answer = await post('/graphql', { query }, token);
          return { status: answer.status, length: (await answer.text()).length };
        }),
      );
      // Requests beyond the memory that large answers share are told to try again.
      for (const { status, length } of answers) {
        expect([200, 503]).toContain(status);
        if (status === 200) expect(length).toBeGreaterThan(10_000_000);
      }
      expect(answers.some(({ status }) => status === 200)).toBe(true);
    }
    expect((await fetch(`${url}/health`)).status).toBe(200);
    await server.stop();
  },
  rounds * 15_000,
);
