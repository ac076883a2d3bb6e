import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { attacks } from '../../bench/noisy/attacks.ts';
import { Connection, type ConnectionEvents } from '../../bench/noisy/connection.ts';
import { compareNoisyWithThresholds } from '../../bench/noisy/noisyThresholds.ts';
import { sourceOf } from '../../bench/noisy/source.ts';
import { type NoisyRow, toNoisyRows } from '../../bench/noisy/summary.ts';

describe('a source of an attack', () => {
  const allow = (limit: number, size: number) => (size > limit ? 'TOO_COMPLEX' : 'ok');

  test.each([1, 2, 150, 969, 970])('finds that the server accepts requests of size %i', (limit) => {
    const source = sourceOf({ attack: 'documents', api: 'hedgerow', tokens: ['token'], size: 970 });
    for (let index = 0; index < 30; index++) {
      const { size } = source.next();
      source.answered(size, allow(limit, size));
    }
    expect(source.size).toBeLessThanOrEqual(limit);
    expect(source.size).toBeGreaterThanOrEqual(Math.floor(limit * 0.96) - 1);
    expect(source.next().size).toBe(source.size);
  });

  test('does not take refusals for lack of a place as a limit of size', () => {
    const source = sourceOf({ attack: 'page', api: 'hedgerow', tokens: ['token'], size: 1000 });
    source.answered(source.next().size, '429');
    expect(source.next().size).toBe(1000);
  });

  test('keeps the size of an attack that is about refusals', () => {
    const source = sourceOf({ attack: 'oversized', api: 'hedgerow', tokens: ['token'], size: 970 });
    source.answered(source.next().size, 'TOO_COMPLEX');
    expect(source.next().size).toBe(970);
  });

  test('makes each request different where the attack is about new ones', () => {
    const source = sourceOf({ attack: 'documents', api: 'hedgerow', tokens: ['token'], size: 970 });
    expect(source.next().bytes.equals(source.next().bytes)).toBe(false);
  });

  test('has a request for each attack and API that the attack names', () => {
    for (const [attack, { calls, size }] of Object.entries(attacks)) {
      for (const api of Object.keys(calls)) {
        const source = sourceOf({ attack, api, tokens: ['token'], size } as Parameters<typeof sourceOf>[0]);
        expect(source.next().bytes.toString()).toMatch(/^(GET|POST) \/\S+ HTTP\/1\.1\r\nHost: /);
      }
    }
  });
});

describe('a connection of the flood', () => {
  const server = createServer((request, response) => {
    const send: Record<string, () => void> = {
      '/ok': () => response.end('{"data":{}}'),
      '/chunked': () => {
        response.write('{"data":"');
        response.write('x'.repeat(100_000));
        response.end('"}');
      },
      '/complex': () => response.end('{"errors":[{"extensions":{"code":"TOO_COMPLEX"}}]}'),
      '/errors-behind': () =>
        response.end(`{"data":"${'x'.repeat(5000)}","errors":[{"extensions":{"code":"TIMEOUT"}}]}`),
      '/busy': () => response.writeHead(429).end('{"errors":[{"extensions":{"code":"UNAVAILABLE"}}]}'),
      '/empty': () => response.writeHead(204).end(),
      '/gone': () => response.destroy(),
    };
    send[request.url as string]?.();
  });
  beforeAll(async () => {
    await once(server.listen(0, '127.0.0.1'), 'listening');
  });
  afterAll(() => void server.close());

  /** Kinds and bytes of the answers to requests for `paths`, one after the other on one connection. */
  function ask(...paths: string[]): Promise<[kind: string, bytes: number][]> {
    const answers: [string, number][] = [];
    return new Promise((resolve) => {
      const next = (connection: Connection) => {
        const path = paths.shift();
        if (path) return connection.send(Buffer.from(`GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`));
        connection.close();
      };
      const events: ConnectionEvents = {
        open: next,
        answered: (connection, { kind, bytes }) => {
          answers.push([kind, bytes]);
          next(connection);
        },
        closed: () => resolve(answers),
      };
      new Connection((server.address() as AddressInfo).port, events);
    });
  }

  test('tells where each answer ends and of which kind it is', async () => {
    const paths = ['/ok', '/chunked', '/complex', '/errors-behind', '/busy', '/empty', '/ok'];
    const answers = await ask(...paths);
    expect(answers.map(([kind]) => kind)).toEqual(['ok', 'ok', 'TOO_COMPLEX', 'TIMEOUT', '429', 'ok', 'ok']);
    expect(answers[1]?.[1]).toBeGreaterThan(100_000);
  });

  test('tells that the server has closed it', async () => {
    expect(await ask('/ok', '/gone', '/ok')).toEqual([['ok', 11]]);
  });
});

describe('the thresholds of the noisy workload', () => {
  const times = (p50: number, p99: number, errors = {}) => ({ p50, p99, answers: 100, errors });
  const rowOf = (beside: ReturnType<typeof times>): NoisyRow[] =>
    toNoisyRows([
      {
        attack: 'search',
        candidate: 'hedgerow',
        title: 'Hedgerow',
        samples: [
          {
            alone: times(4, 10),
            beside,
            flood: { answers: { ok: 1, 429: 5 }, samples: {}, bytes: 0, size: 1 },
            peakMemory: 0,
            ended: false,
          },
        ],
      },
    ]);
  const reached = (rows: readonly NoisyRow[]) => compareNoisyWithThresholds(rows).map(({ reached }) => reached);

  test('are reached by 3 times the p50, 5 times the p99 and no error', () => {
    expect(reached(rowOf(times(12, 50)))).toEqual([true, true, true]);
    expect(reached(rowOf(times(12.1, 50.1)))).toEqual([false, false, true]);
  });

  test("count the bystander's errors, and not the flood's refusals", () => {
    expect(reached(rowOf(times(4, 10, { 503: 1 })))).toEqual([true, true, false]);
  });
});
