import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { connectionFault } from '../../postgres/connectionErrors.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { openConnections } from '../support/openDatabase.ts';

/** A proxy in front of Postgres that can be silent: it accepts connections and passes nothing on. */
class SilentProxy {
  silent = false;
  /** Connections that were accepted. */
  accepted = 0;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #target: URL;

  constructor(target: string) {
    this.#target = new URL(target);
    this.#server = createServer((client) => {
      this.accepted++;
      this.#track(client);
      if (this.silent) return;
      const postgres = connect(Number(this.#target.port), this.#target.hostname);
      this.#track(postgres);
      client.pipe(postgres).pipe(client);
    });
  }

  async listen(): Promise<string> {
    await once(this.#server.listen(0, '127.0.0.1'), 'listening');
    const url = new URL(this.#target);
    url.host = `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
    return url.href;
  }

  close(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  #track(socket: Socket): void {
    socket.on('error', () => {});
    this.#sockets.add(socket);
  }
}

let db: TestDatabase;
let proxy: SilentProxy;
let serverUrl: string;
beforeAll(async () => {
  db = await createTestDatabase();
});
beforeEach(async () => {
  proxy = new SilentProxy(db.serverUrl);
  serverUrl = await proxy.listen();
});
afterEach(() => proxy.close());
afterAll(() => db.drop());

const preparedStatements = true;
const ask = { text: 'select 1 as one' };
const causeOf = (work: Promise<unknown>) => work.then(String, (error: unknown) => connectionFault(error)?.cause);

test('a server that accepts connections and stays silent is tried several times while the database may wake up', async () => {
  proxy.silent = true;
  const database = openConnections(
    { serverUrl, preparedStatements },
    { attemptTimeout: 0.3, retryTime: 0.3, timeout: 20 },
  );
  const asked = database.inspect(ask);
  while (proxy.accepted < 3) await sleep(20);
  proxy.silent = false;
  expect((await asked).rows).toEqual([{ one: 1 }]);
  await database.close();
});

test('a database that does not wake up is reported within the timeout, and later requests wait for less', async () => {
  proxy.silent = true;
  const database = openConnections(
    { serverUrl, preparedStatements },
    { attemptTimeout: 0.5, retryTime: 0.5, timeout: 3 },
  );
  expect(await causeOf(database.inspect(ask))).toBe('no answer');
  expect(proxy.accepted).toBeGreaterThan(1);
  const before = proxy.accepted;
  expect(await causeOf(database.inspect(ask))).toBe('no answer');
  expect(proxy.accepted).toBe(before + 1);
  proxy.silent = false;
  const back = () => causeOf(database.inspect(ask)).then((cause) => cause === '[object Object]');
  while (!(await back())) await sleep(20);
  await database.close();
});

test('a server that falls silent while it is in use is not retried', async () => {
  const options = { attemptTimeout: 0.2, retryTime: 0.2, timeout: 60, size: 2 };
  const database = openConnections({ serverUrl, preparedStatements }, options);
  await database.inspect(ask);
  proxy.silent = true;
  const hold = database.inspect({ text: 'select 1 as one from pg_sleep(1)' });
  expect(await causeOf(database.inspect(ask))).toBe('no answer');
  expect(proxy.accepted).toBe(2);
  expect((await hold).rows).toEqual([{ one: 1 }]);
  await database.close();
});

test('a busy event loop does not count as a silent database', async () => {
  const database = openConnections({ serverUrl, preparedStatements }, { attemptTimeout: 0.5, retryTime: 0.01 });
  const asked = database.inspect(ask);
  for (let n = 0; n < 3; n++) {
    await new Promise((resolve) => setImmediate(resolve));
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 700);
  }
  expect((await asked).rows).toEqual([{ one: 1 }]);
  await database.close();
});

test('a direct connection is probed once, and no other connection is opened', async () => {
  const database = openConnections({ serverUrl, preparedStatements }, { size: 3 });
  await Promise.all(Array.from({ length: 3 }, () => database.inspect(ask)));
  expect(proxy.accepted).toBe(3);
  await database.close();
});
