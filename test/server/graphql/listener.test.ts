import { setTimeout as sleep } from 'node:timers/promises';
import { createLog } from '../../../server/http/log.ts';
import { inDatabase } from '../../support/cluster.ts';
import { createTestDatabase, type TestDatabase } from '../../support/database.ts';
import { serve, signUp } from '../../support/server.ts';
import { greet, openSocket, subscribed, todoChanged } from '../../support/socket.ts';

let db: TestDatabase;
beforeAll(async () => {
  db = await createTestDatabase();
});
afterAll(() => db.drop());

function keptLog() {
  const lines: string[] = [];
  return { lines, log: createLog('info', { write: (line) => void lines.push(line) }) };
}

test('where notifications cannot be listened for, clients are told to come back, and the log says why', async () => {
  const { lines, log } = keptLog();
  const nowhere = new URL(db.listenUrl);
  nowhere.port = '1';
  const server = await serve({ ...db, listenUrl: nowhere.href }, { log });
  const { token } = await signUp(server.app, 'ada');
  const socket = await greet(await server.listen(), token);
  expect((await socket.closed).code).toBe(1013);
  const warning = lines.map((line) => JSON.parse(line)).find(({ msg }) => /listens for changes failed/.test(msg));
  expect(warning).toMatchObject({ level: 40, cause: 'refused', advice: expect.stringContaining('Nothing listens') });
  expect(lines.join('')).not.toContain(nowhere.password);
  await server.close();
});

test('a connection that hears nothing, as through a transaction pooler, is warned of', async () => {
  const { lines, log } = keptLog();
  // Notifications do not leave their database: as good as a pooler that passes none on.
  const server = await serve({ ...db, listenUrl: inDatabase(db.listenUrl, 'postgres') }, { log });
  const { token } = await signUp(server.app, 'bob');
  const socket = await openSocket(await server.listen(), token);
  while (!lines.some((line) => line.includes('DATABASE_URL_LISTEN'))) await sleep(50);
  socket.raw.terminate();
  await server.close();
});

test('a connection that hears is not warned of', async () => {
  const { lines, log } = keptLog();
  const server = await serve(db, { log });
  const { token, graphql } = await signUp(server.app, 'carol');
  const socket = await subscribed(await server.listen(), token, todoChanged);
  await sleep(6000);
  await graphql('mutation { createTodo(input: {todo: {title: "heard"}}) { todo { title } } }');
  expect(await socket.event()).toMatchObject({ event: 'INSERT' });
  expect(lines.filter((line) => JSON.parse(line).level >= 40 && !line.includes('SMTP_URL'))).toEqual([]);
  socket.raw.terminate();
  await server.close();
});
