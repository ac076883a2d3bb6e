import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { killServers, productionEnv, spawnServer } from '../support/process.ts';

let db: TestDatabase;
beforeAll(async () => {
  db = await createTestDatabase();
});
afterEach(killServers);
afterAll(() => db.drop());

const login = 'POST /auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 5000\r\n\r\n{';
const beginnings = ['POST /graphql HTTP/1.1\r\nHost: x\r\nX: ', login];

test('500 clients that send a byte at a time keep no real one out, and those with half a head are sent away', async () => {
  const server = spawnServer(productionEnv(db));
  const url = new URL(await server.url);
  const sockets = await Promise.all(
    Array.from({ length: 500 }, async (_, index): Promise<[Socket, Promise<unknown>]> => {
      const socket = connect(Number(url.port), url.hostname).on('error', () => {});
      // Read the server's last bytes first. Only then does the socket report its end. A reset ends it too.
      const closed = new Promise((resolve) => socket.resume().on('close', resolve));
      await once(socket, 'connect');
      socket.write(beginnings[index % 2] as string);
      return [socket, closed];
    }),
  );
  const dribble = setInterval(() => {
    for (const [socket] of sockets) if (socket.writable) socket.write('x');
  }, 500);
  try {
    const body = JSON.stringify({ email: 'ada@example.com', username: 'ada', password: 'a long password' });
    const headers = { 'Content-Type': 'application/json' };
    expect((await fetch(new URL('/auth/register', url), { method: 'POST', headers, body })).status).toBe(201);
    const withoutHead = sockets.filter((_, index) => index % 2 === 0).map(([, closed]) => closed);
    const all = Promise.all(withoutHead).then(() => 'closed');
    expect(await Promise.race([all, sleep(20_000, 'still open', { ref: false })])).toBe('closed');
    expect((await fetch(new URL('/health/db', url))).status).toBe(200);
  } finally {
    clearInterval(dribble);
    for (const [socket] of sockets) socket.destroy();
  }
}, 60_000);
