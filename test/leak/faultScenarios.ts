import { setTimeout as sleep } from 'node:timers/promises';
import { cancelBackend, killBackends } from '../../isolation/interleaving/backends.ts';
import type { TestDatabase } from '../support/database.ts';
import { between } from './random.ts';
import { repeatableRead, serializationFailure } from './serialization.ts';
import { deadlinePassed, deadlock, lockTimeout, slow, statementTimeout } from './slow.ts';
import type { FaultInjection, RequestInputs, TestRequest } from './testRequest.ts';

/** Faults of one round, and the errors that they excuse. */
export interface FaultScenario {
  readonly name: string;
  /** Requests in one round. */
  readonly requestCount: number;
  /** Error codes that any request of the round may get; none without faults. */
  readonly allowedCodes: readonly string[];
  /**
   * Whether a few requests may also get TIMEOUT or UNAVAILABLE, because they were late or found no connection in time. Many
   * of them are a hang.
   */
  readonly fewTimeouts?: boolean;
  /** Error code that shows that the fault has affected a request. */
  readonly signalCode?: string;
  /** Requests that belong to the scenario. A tenant sends one of them, in turn, every `every` requests. */
  readonly requests?: readonly ((inputs: RequestInputs, db: TestDatabase) => TestRequest | undefined)[];
  readonly every?: number;
  /** Injects faults into the database until the round is over. */
  inject?(injection: FaultInjection): Promise<void>;
}

const unavailableCodes = ['UNAVAILABLE', 'TIMEOUT'];

// On a busy machine a large answer may miss the deadline of one second, and requests behind it find no connection.
const calm: FaultScenario = { name: 'calm', requestCount: 400, allowedCodes: [], fewTimeouts: true };

/** The first requests of a run: the first compilation and planning may exceed the deadline. */
export const warmingUp: FaultScenario = { name: 'warming up', requestCount: 150, allowedCodes: ['TIMEOUT'] };

/** Scenarios without injected faults, and scenarios with statements that exceed a timeout. */
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
  {
    // More concurrent slow requests than connections.
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
    // A statement of an aborted request may still write, and the tenant's next request then has an older snapshot.
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
    name: 'canceled statements',
    requestCount: 120,
    allowedCodes: ['TIMEOUT'],
    inject: (injection) =>
      repeat(injection, 0, 4, async () => injection.count('a statement canceled', await cancelBackend(injection.db))),
  },
];

/** Runs `work` at least once, and again after random pauses of `from` to `to` milliseconds until the round is over. */
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
