import { setTimeout as sleep } from 'node:timers/promises';
import { cancelBackend, killBackends } from '../../isolation/interleaving/backends.ts';
import type { TestDatabase } from '../support/database.ts';
import { between } from './random.ts';
import { repeatableRead, serializationFailure } from './serialization.ts';
import { deadlinePassed, deadlock, lockTimeout, slow, statementTimeout } from './slow.ts';
import type { Maker, Outside, Work } from './work.ts';

/** What happens around the requests of a round, and what they may suffer from it. */
export interface FaultScenario {
  readonly name: string;
  /** Requests of a round of it. */
  readonly size: number;
  /** The codes that any request may get in it beside its own. In calm weather none. */
  readonly allows: readonly string[];
  /** A few of its requests may also get TIMEOUT: the ones that found no connection in time. More of them are a hang. */
  readonly fewTimeouts?: boolean;
  /** The code that says that it has happened to a request. */
  readonly shows?: string;
  /** Works of tenants that belong to it; every so many requests there is one, by turns. */
  readonly works?: readonly ((maker: Maker, db: TestDatabase) => Work | undefined)[];
  readonly every?: number;
  /** What is done to the database until the round is over. */
  outside?(outside: Outside): Promise<void>;
}

const away = ['UNAVAILABLE', 'TIMEOUT'];

const calm: FaultScenario = { name: 'calm', size: 400, allows: [] };

/** The first requests of all: whatever is compiled or planned for the first time may take too long. */
export const warmingUp: FaultScenario = { name: 'warming up', size: 150, allows: ['TIMEOUT'] };

/** Calm, and statements that take longer than somebody is ready to wait. */
export const slowScenarios: readonly FaultScenario[] = [
  calm,
  { ...{ name: 'slow statements', size: 40, allows: away, every: 4 }, works: [slow, statementTimeout] },
  { ...{ name: 'deadlines', size: 24, allows: away, every: 6 }, works: [deadlinePassed] },
];

export const faultScenarios: readonly FaultScenario[] = [
  ...slowScenarios,
  // All of them at once, and more than there are connections.
  { ...{ name: 'pool exhausted', size: 14, allows: away, every: 2, shows: 'UNAVAILABLE' }, works: [slow] },
  { ...{ name: 'locks', size: 50, allows: away, every: 10 }, works: [lockTimeout, deadlock] },
  {
    // What a client has left behind may still be writing, and its next request has an older snapshot.
    ...{ name: 'repeatable read', size: 30, allows: ['UNAVAILABLE', 'CONFLICT'], fewTimeouts: true, every: 10 },
    works: [serializationFailure],
    outside: repeatableRead,
  },
  {
    ...{ name: 'killed backends', size: 120, allows: ['UNAVAILABLE'], fewTimeouts: true },
    outside: (outside) =>
      repeat(outside, 5, 40, async () => outside.did('a backend killed', await killBackends(outside.db, 1))),
  },
  {
    ...{ name: 'all backends killed', size: 80, allows: ['UNAVAILABLE'], fewTimeouts: true },
    outside: (outside) =>
      repeat(outside, 30, 100, async () => {
        await killBackends(outside.db);
        outside.did('all backends killed');
      }),
  },
  {
    ...{ name: 'cancelled statements', size: 120, allows: ['TIMEOUT'] },
    outside: (outside) =>
      repeat(outside, 0, 4, async () => outside.did('a statement cancelled', await cancelBackend(outside.db))),
  },
];

/** Does `work` at random intervals of so many milliseconds until the round is over, at least once. */
export async function repeat(outside: Outside, from: number, to: number, work: () => Promise<void>): Promise<void> {
  do {
    await sleep(between(outside.random, from, to));
    await work();
  } while (!outside.over());
}
