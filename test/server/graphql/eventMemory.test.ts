import type { WebSocket } from 'ws';
import { Cancellation } from '../../../postgres/cancellation.ts';
import { ReadMeter } from '../../../server/graphql/complexity/readMeter.ts';
import { LiveConnection, type LiveUser } from '../../../server/graphql/live/connection.ts';
import { Outbound } from '../../../server/graphql/live/outbound.ts';
import { fits } from '../../../server/graphql/output/answer.ts';
import { ByteBudget } from '../../../server/http/byteBudget.ts';
import { charged } from '../../../server/http/turn.ts';
import { Admission, admissionLimits } from '../../../server/tenancy/admission.ts';
import type { Database } from '../../../server/tenancy/tenantDatabase.ts';

/** A socket whose client takes nothing until the test says so. */
function slowSocket() {
  const waiting: ((error?: Error) => void)[] = [];
  const closed: number[] = [];
  const socket = {
    send: (_data: string, done: (error?: Error) => void) => void waiting.push(done),
    close: (code: number) => void closed.push(code),
  } as unknown as WebSocket;
  return { socket, waiting, closed };
}

test('messages that a client does not take are bounded by tenant, and their socket is closed', async () => {
  const budget = new ByteBudget({ total: 100_000, tenant: 1000 });
  const { socket, waiting, closed } = slowSocket();
  const [one, two] = [new Outbound(socket, budget), new Outbound(socket, budget)];
  const sent = one.send('x'.repeat(600), 'ada');
  await expect(two.send('x'.repeat(600), 'ada')).rejects.toThrow(/unsent/);
  expect(closed).toEqual([4429]);
  const other = two.send('x'.repeat(600), 'bob');
  waiting[0]?.();
  waiting[1]?.(new Error('closed'));
  await sent;
  await expect(other).rejects.toThrow('closed');
  expect(budget.used).toBe(0);
});

test('a socket is stuck when its client takes no message between two checks', async () => {
  const { socket, waiting } = slowSocket();
  const outbound = new Outbound(socket, new ByteBudget({ total: 100_000, tenant: 10_000 }));
  expect(outbound.isStuck()).toBe(false);
  void outbound.send('1', 'ada');
  expect(outbound.isStuck()).toBe(false);
  void outbound.send('2', 'ada');
  expect(outbound.isStuck()).toBe(true);
  waiting[0]?.();
  expect(outbound.isStuck()).toBe(false);
  waiting[1]?.();
  expect(outbound.isStuck()).toBe(false);
});

test('an event reads at most 250 kB', () => {
  const meter = ReadMeter.ofEvent();
  meter.add(250_000);
  expect(() => meter.add(1)).toThrow('the request reads more than 250000 bytes');
});

test('measuring an answer stops at the limit that it is given', async () => {
  let reads = 0;
  const list = new Proxy(
    Array.from({ length: 100 }, () => 'x'.repeat(100_000)),
    {
      get(target, key, receiver) {
        if (typeof key === 'string' && /^\d+$/.test(key)) reads++;
        return Reflect.get(target, key, receiver);
      },
    },
  );
  expect(await fits({ list }, {}, 250_000)).toBe(false);
  expect(reads).toBeLessThan(20);
  expect(await fits({ list }, {})).toBe(true);
});

test('work for a websocket is charged to its tenant, also after the turn', async () => {
  const admission = new Admission(admissionLimits(10));
  const user = { userId: 'ada', expires: Date.now() + 60_000 } as unknown as LiveUser;
  const connection = new LiveConnection(user, { database: {} as Database, admission }, () => {});
  await connection.inTurn(() => {});
  const spin = () => {
    for (const start = process.threadCpuUsage(); process.threadCpuUsage(start).user < 100_000; );
  };
  charged(connection, spin);
  charged(connection, spin);
  // Beside others, a tenant that held the event loop pauses.
  (await admission.enter('bob', { cancellation: new Cancellation() })).end();
  expect(admission.tryEnter('ada')).toBeUndefined();
  connection.dispose();
});
