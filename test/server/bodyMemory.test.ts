import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import express, { type ErrorRequestHandler, type Request, type RequestHandler } from 'express';
import { parseBody, readBody } from '../../server/http/body.ts';
import { ByteBudget } from '../../server/http/byteBudget.ts';
import { deadline } from '../../server/http/deadline.ts';

const until = async (condition: () => boolean) => {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 10));
};

/** A server that reads bodies after `signedIn`, as the API does. */
async function serverOf(signedIn: RequestHandler) {
  const budget = new ByteBudget({ total: 16_000_000, tenant: 4_000_000 });
  const app = express()
    .use(deadline(60), signedIn, readBody(budget))
    .use((_request, response) => void response.json({}))
    .use(
      ((error, _request, response, _next) => void response.status(error.status ?? 500).end()) as ErrorRequestHandler,
    );
  const server = createServer(app).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const sockets: Socket[] = [];
  return {
    budget,
    async send(length: number, sent: number) {
      const socket = connect((server.address() as AddressInfo).port, '127.0.0.1').on('error', () => {});
      sockets.push(socket);
      socket.write(
        `POST / HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: ${length}\r\n\r\n${' '.repeat(sent)}`,
      );
      return socket;
    },
    close() {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}

test('a body takes memory as its bytes come, and not for the length that it declares', async () => {
  let begun = 0;
  const server = await serverOf((_request, _response, next) => {
    begun++;
    next();
  });
  await server.send(2_000_000, 0);
  await until(() => begun === 1);
  expect(server.budget.used).toBe(0);
  const socket = await server.send(2_000_000, 1_000_000);
  await until(() => server.budget.used >= 1_000_000);
  socket.destroy();
  await until(() => server.budget.used === 0);
  server.close();
});

test('small bodies take no memory, and those of 100 kB as much as they have', async () => {
  let begun = 0;
  const server = await serverOf((_request, _response, next) => {
    begun++;
    next();
  });
  await server.send(2_000_000, 10_000);
  await until(() => begun === 1);
  const sockets = await Promise.all(Array.from({ length: 10 }, () => server.send(100_000, 90_000)));
  await until(() => server.budget.used >= 900_000);
  expect(server.budget.used).toBeLessThan(1_200_000);
  for (const socket of sockets) socket.destroy();
  await until(() => server.budget.used === 0);
  server.close();
});

test('a client that leaves while its token is verified leaves no memory taken', async () => {
  const verified = Promise.withResolvers<void>();
  let closed = 0;
  let begun = 0;
  const server = await serverOf(async (_request, response, next) => {
    begun++;
    response.once('close', () => closed++);
    await verified.promise;
    next();
  });
  const sockets = await Promise.all(Array.from({ length: 3 }, () => server.send(2_000_000, 1000)));
  await until(() => begun === 3);
  for (const socket of sockets) socket.resetAndDestroy();
  await until(() => closed === 3);
  verified.resolve();
  await new Promise((resolve) => setTimeout(resolve, 200));
  expect(server.budget.used).toBe(0);
  server.close();
});

test('a large body that stops coming is refused', async () => {
  const server = await serverOf((_request, _response, next) => next());
  const socket = await server.send(2_000_000, 500_000);
  const [answer] = await once(socket, 'data');
  expect(String(answer)).toMatch(/^HTTP\/1.1 408/);
  socket.destroy();
  await until(() => server.budget.used === 0);
  server.close();
}, 60_000);

test('a few tenants who hold as much as they may leave room for a tenant who holds nothing', () => {
  const budget = new ByteBudget({ total: 16_000_000, tenant: 4_000_000 });
  for (let tenant = 0; tenant < 4; tenant++) while (budget.take(`t${tenant}`, 100_000));
  expect(budget.take('bob', 1_000_000)).toBe(true);
  for (let tenant = 4; tenant < 6; tenant++) while (budget.take(`t${tenant}`, 100_000));
  expect(budget.take('carol', 100_000)).toBe(true);
  expect(budget.take('t0', 100_000)).toBe(false);
});

test.each([
  ['lists', `[${'[],'.repeat(650_000)}[]]`],
  ['numbers', `[${'1,'.repeat(900_000)}1]`],
  ['keys', `{${Array.from({ length: 150_000 }, (_, n) => `"${n}a":1`).join()}}`],
])('a large body with very many %s is refused before it is parsed', (_, json) => {
  const request = { body: Buffer.from(json) } as Request;
  expect(() => parseBody(request, {} as never, () => {})).toThrow(/too many values/);
});

test('a thousand items with 99 columns and long texts are parsed', () => {
  const item = Object.fromEntries(Array.from({ length: 99 }, (_, n) => [`c${n}`, ',:[{']));
  const items = Array.from({ length: 1000 }, () => item);
  const request = { body: Buffer.from(JSON.stringify(items)) } as Request;
  parseBody(request, {} as never, () => {});
  expect(request.body).toEqual(items);
});
