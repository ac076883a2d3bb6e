import { setTimeout as sleep } from 'node:timers/promises';
import { cancelBackend, killBackends } from '../../isolation/interleaving/backends.ts';
import type { TestDatabase } from '../support/database.ts';
import { between } from './random.ts';
import { repeatableRead, serializationFailure } from './serialization.ts';
import { deadlinePassed, deadlock, lockTimeout, slow, statementTimeout } from './slow.ts';
import type { FaultInjection, RequestInputs, TestRequest } from './testRequest.ts';

/** What happens around the requests of a round, and what they may suffer from it. */
export interface FaultScenario {
  readonly name: string;
  /** Requests of a round of it. */
  readonly requestCount: number;
  /** The codes that any request may get in it beside its own. In calm weather none. */
  readonly allowedCodes: readonly string[];
  /** A few of its requests may also get TIMEOUT: the ones that found no connection in time. More of them are a hang. */
  readonly fewTimeouts?: boolean;
  /** The code that says that it has happened to a request. */
  readonly signalCode?: string;
  /** Works of tenants that belong to it; every so many requests there is one, by turns. */
  readonly requests?: readonly ((inputs: RequestInputs, db: TestDatabase) => TestRequest | undefined)[];
  readonly every?: number;
  /** What is done to the database until the round is over. */
  inject?(injection: FaultInjection): Promise<void>;
}

const unavailableCodes = ['UNAVAILABLE', 'TIMEOUT'];

const calm: FaultScenario = { name: 'calm', requestCount: 400, allowedCodes: [] };

/** The first requests of all: whatever is compiled or planned for the first time may take too long. */
export const warmingUp: FaultScenario = { name: 'warming up', requestCount: 150, allowedCodes: ['TIMEOUT'] };

/** Calm, and statements that take longer than somebody is ready to wait. */
export const slowScenarios: readonly FaultScenario[] = [
  calm,
  {
    name: 'slow statements',
    requestCount: 40,
    allowedCodes: unavailableCodes,
    every: 4,
    requests: [slow, statementTimeout],
  },
  { name: 'deadlines', requestCount: 24, allowedCodes: unavailableCodes, every: 6, requests: [deadlinePassed] },
];

export const faultScenarios: readonly FaultScenario[] = [
  ...slowScenarios,
  // All of them at once, and more than there are connections.
  {
    name: 'pool exhausted',
    requestCount: 14,
    allowedCodes: unavailableCodes,
    every: 2,
    signalCode: 'UNAVAILABLE',
    requests: [slow],
  },
  {
    name: 'locks',
    requestCount: 50,
    allowedCodes: unavailableCodes,
    every: 10,
    requests: [lockTimeout, deadlock],
  },
  {
    // What a client has left behind may still be writing, and its next request has an older snapshot.
    name: 'repeatable read',
    requestCount: 30,
    allowedCodes: ['UNAVAILABLE', 'CONFLICT'],
    fewTimeouts: true,
    every: 10,
    requests: [serializationFailure],
    inject: repeatableRead,
  },
  {
    name: 'killed backends',
    requestCount: 120,
    allowedCodes: ['UNAVAILABLE'],
    fewTimeouts: true,
    inject: (injection) =>
      repeat(injection, 5, 40, async () => injection.count('a backend killed', await killBackends(injection.db, 1))),
  },
  {
    name: 'all backends killed',
    requestCount: 80,
    allowedCodes: ['UNAVAILABLE'],
    fewTimeouts: true,
    inject: (injection) =>
      repeat(injection, 30, 100, async () => {
        await killBackends(injection.db);
        injection.count('all backends killed');
      }),
  },
  {
    name: 'cancelled statements',
    requestCount: 120,
    allowedCodes: ['TIMEOUT'],
    inject: (injection) =>
      repeat(injection, 0, 4, async () => injection.count('a statement cancelled', await cancelBackend(injection.db))),
  },
];

/** Does `work` at random intervals of so many milliseconds until the round is over, at least once. */
export async function repeat(
  injection: FaultInjection,
  from: number,
  to: number,
  work: () => Promise<void>,
): Promise<void> {
  do {
    await sleep(between(injection.random, from, to));
    await work();
  } while (!injection.roundIsOver());
}
